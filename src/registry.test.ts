import { describe, expect, test } from 'vitest'
import { optionsJsonSchema } from './config/json-schema.ts'
import { check } from './plugin/check.ts'
import { type AnyDeclaration, pluginKinds } from './plugin/define.ts'
import { builtIn, builtInCatalogue } from './registry.ts'

const declarations: readonly AnyDeclaration[] = builtIn.map(({ declaration }) => declaration)

/**
 * Options that a configuration file cannot reach, because the word names the plug-in there: `plug-in option`. To be renamed
 * by their owners; may only shrink.
 */
const shadowed: readonly string[] = []

test('every built-in plug-in can be found by its name', () => {
  expect(pluginKinds.flatMap((kind) => builtInCatalogue.all(kind))).toHaveLength(builtIn.length)
})

const shapeOf = ({ options }: AnyDeclaration): object => (options as { readonly shape?: object }).shape ?? {}
const naming = declarations.filter((declaration) => 'eventType' in shapeOf(declaration))

test.each(naming.map((declaration) => [`${declaration.kind} ${declaration.name}`, declaration] as const))(
  'the type that %s gives to events is checked with the configuration',
  (_, { options, example }) => {
    for (const eventType of ['a b', 'millrace.own']) {
      const checked = check(options, { ...example, eventType })
      expect(checked).toMatchObject({ ok: false, issues: [{ path: ['eventType'] }] })
    }
  },
)

describe.each(declarations.map((declaration) => [`${declaration.kind} ${declaration.name}`, declaration] as const))(
  '%s',
  (_, declaration) => {
    test('has a name in kebab-case and one sentence on what it does', () => {
      expect(declaration.name).toMatch(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/)
      expect(declaration.summary).toMatch(/^[A-Z].*\.$/)
    })

    test('its example is right by its own schema', () => {
      expect(check(declaration.options, declaration.example)).toMatchObject({ ok: true })
    })

    test('says what each option means', () => {
      const { properties = {} } = optionsJsonSchema(declaration) as {
        properties?: Record<string, { description?: string }>
      }
      for (const [name, option] of Object.entries(properties)) expect(option.description, name).toMatch(/\S/)
    })

    test('refuses an option that it does not have', () => {
      expect(check(declaration.options, { ...declaration.example, 'no-such-option': 1 }).ok).toBe(false)
    })
  },
)

// S0-32
test('every sink says what it delivers', () => {
  for (const sink of builtInCatalogue.all('sink')) expect(sink.delivers, sink.name).toMatch(/\S.*\./)
})

test('no option has a name that means the plug-in itself in a configuration file', () => {
  const found = declarations.flatMap((declaration) => {
    const { properties = {} } = optionsJsonSchema(declaration) as { properties?: object }
    const words =
      declaration.kind === 'stage' ? ['use', 'with', 'name', 'concurrency', 'buffer', 'timeout'] : ['type', 'use']
    return words.filter((word) => word in properties).map((word) => `${declaration.name} ${word}`)
  })
  expect(found.sort()).toEqual(shadowed)
})
