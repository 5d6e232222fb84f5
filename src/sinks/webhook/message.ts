import { eventToJson } from '../../core/cloud-event.ts'
import { binaryAttributes } from '../../core/cloud-event-binary.ts'
import type { Delivery } from '../../plugin/sink.ts'

/** How an event is put into a request: all of it in the body, or its attributes in headers and its data in the body. */
export const formats = ['structured', 'binary'] as const
export type Format = (typeof formats)[number]

/** A body with the headers that say what it is. */
export interface Message {
  readonly body: string | Uint8Array
  readonly headers: readonly string[]
}

const cloudEvent = ['content-type', 'application/cloudevents+json; charset=utf-8'] as const
const json = ['content-type', 'application/json; charset=utf-8'] as const

/** The request for a delivery: the event, or the payload that the subscription makes of it. */
export function messageOf(delivery: Delivery, format: Format): Message {
  const { event, body } = delivery
  if (format === 'binary') return binaryMessage(delivery)
  if (body === undefined) return { body: eventToJson(event), headers: cloudEvent }
  return { body, headers: isCloudEvent(body) ? cloudEvent : json }
}

function binaryMessage({ event, body }: Delivery): Message {
  const attributes = binaryAttributes(event)
  if (body !== undefined) {
    // The event without its data is what the headers say already.
    return isCloudEvent(body) ? { body: '', headers: attributes } : { body, headers: [...json, ...attributes] }
  }
  const { data, datacontenttype } = event.record
  if (data === undefined) return { body: '', headers: attributes }
  const type = datacontenttype ?? 'application/json'
  return { body: data, headers: ['content-type', type, ...attributes] }
}

/** Payloads are JSON text that we wrote: an event in it begins with its version, and the result of a template hardly ever. */
function isCloudEvent(body: string): boolean {
  return body.startsWith('{"specversion":')
}
