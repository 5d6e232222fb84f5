import { describe, expect, test } from 'vitest'
import { parseEgressRule } from './egress-rule.ts'

describe('a rule of egress.allow', () => {
  test.each([
    ['127.0.0.0/8', { kind: 'range', bytes: [127, 0, 0, 0], prefix: 8 }],
    ['10.1.2.3/32', { kind: 'range', bytes: [10, 1, 2, 3], prefix: 32 }],
    ['0.0.0.0/0', { kind: 'range', bytes: [0, 0, 0, 0], prefix: 0 }],
    ['fd00::/8', { kind: 'range', bytes: [0xfd, ...Array<number>(15).fill(0)], prefix: 8 }],
    ['::1/128', { kind: 'range', bytes: [...Array<number>(15).fill(0), 1], prefix: 128 }],
    ['crm.internal:8080', { kind: 'endpoint', host: 'crm.internal', port: 8080 }],
    ['CRM.Internal.:80', { kind: 'endpoint', host: 'crm.internal', port: 80 }],
    ['[::1]:8080', { kind: 'endpoint', host: '::1', port: 8080 }],
    ['127.1:8080', { kind: 'endpoint', host: '127.0.0.1', port: 8080 }],
  ])('%s', (text, expected) => {
    expect(parseEgressRule(text)).toEqual({ ok: true, rule: { ...expected, text } })
  })

  // SEC-14
  test.each([
    ['crm.internal', 'host with its port'],
    ['*.internal:80', 'not one'],
    ['10.1.2.3', 'stands alone'],
    ['10.1.2.3/8', 'bits behind the prefix'],
    ['10.0.0.0/33', 'not a range'],
    ['10/8', 'not a range'],
    ['010.0.0.0/8', 'not a range'],
    ['fe80::1%eth0/128', 'not a range'],
    ['https://crm.internal:8080', 'not a range'],
    ['user@crm.internal:80', 'host with its port'],
    ['crm.internal:0', 'from 1 to 65535'],
    ['crm.internal:70000', 'from 1 to 65535'],
    ['', 'host with its port'],
  ])('%s is refused: %s', (text, expected) => {
    expect(parseEgressRule(text)).toEqual({ ok: false, problem: expect.stringContaining(expected) })
  })

  // SEC-14
  test.each([
    '169.254.0.0/16',
    '169.254.169.254/32',
    '169.254.169.254:80',
    '2852039166:80',
    '168.63.129.16/32',
    '100.100.100.200:80',
    'fe80::/10',
    'fd00:ec2::254/128',
    '[fd00:ec2::254]:80',
    '0.0.0.0:8080',
    '224.0.0.0/4',
  ])('%s is refused: no rule opens link-local and metadata addresses', (text) => {
    expect(parseEgressRule(text)).toEqual({ ok: false, problem: expect.stringContaining('never reached') })
  })
})
