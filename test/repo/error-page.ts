import { errorCodes } from '../../src/core/errors.ts'

/** What each code means to whoever meets it, and what to do. A test compares the keys with the codes in `core/errors.ts`. */
export const errorAdvice: Readonly<Record<string, { readonly when: string; readonly act: string }>> = {
  'config-invalid': {
    when: 'The configuration (file or code) has one or more problems. All of them are listed, with file, line and column where there is a file.',
    act: 'Correct what the list names; `millrace check` prints the list without starting anything.',
  },
  'event-invalid': {
    when: 'An event lacks a field, or a field has the wrong form. Nothing of it was stored.',
    act: 'Correct the field that the message names. In a batch, the other events are stored.',
  },
  'body-malformed': {
    when: 'The body is not the JSON (or NDJSON) that its content type announces.',
    act: 'Send valid JSON in UTF-8. Sending the same bytes again gives the same answer.',
  },
  'body-too-large': {
    when: 'The body, a line of it, or the number of events in it is over the limit of the configuration (`limits`).',
    act: 'Send smaller batches, or raise the limit.',
  },
  'rate-limited': {
    when: 'More requests came than the limit of the configuration allows.',
    act: 'Wait as long as `Retry-After` says.',
  },
  'request-timeout': {
    when: 'The headers or the body of the request did not arrive in time.',
    act: 'Send it again; for long streams, keep sending.',
  },
  'headers-too-large': {
    when: 'The request has more headers, or larger ones, than the server reads.',
    act: 'Send fewer or shorter headers.',
  },
  'content-type-unsupported': {
    when: 'The content type of the request is not one that this route reads.',
    act: 'Use `application/json`, `application/cloudevents+json`, `application/cloudevents-batch+json` or `application/x-ndjson`.',
  },
  'event-conflict': {
    when: 'The log holds an event with the same source and id whose content differs. The first one stays.',
    act: 'Give the new fact an id of its own. An id names one fact for ever.',
  },
  'schema-mismatch': {
    when: 'An event does not fit the schema that the configuration has for its type, and the mode of the schema is `reject`. Nothing of it was stored.',
    act: 'Correct what the message names. `millrace schema types` prints what events must look like.',
  },
  'events-all-invalid': {
    when: 'No event of the batch is valid, so nothing was stored.',
    act: 'Look at the error of each event in the answer.',
  },
  'source-forbidden': {
    when: 'The `source` of the event is that of a configured connector, or not one that this token may use.',
    act: 'Publish under a source name of your own, or one that the token lists.',
  },
  'type-reserved': {
    when: 'Event types beginning with `millrace.` are appended by the engine only.',
    act: 'Choose another type.',
  },
  'subscription-invalid': {
    when: 'The body of a `PUT` is not a subscription that can be made while the pipeline runs. Every problem is listed in `errors`, with a pointer into the body.',
    act: 'Correct what the list names. Nothing was changed.',
  },
  'precondition-failed': {
    when: '`If-Match` names another version than the present one (somebody changed it meanwhile), or `If-None-Match: *` was sent and it exists.',
    act: 'Read it again, make the change anew, and send it with the new `ETag`.',
  },
  'version-conflict': {
    when: 'An append to a stream named another version than the stream has: somebody appended in between. The error says both, as `expected` and `actual`.',
    act: 'Read what came since, decide anew, and append against the newer version. `decider` does that by itself a few times.',
  },
  'events-removed': {
    when: 'A stream was read from events that retention has removed. The error says the oldest version that is kept, as `oldest`.',
    act: 'Go on behind the gap with `after`, or keep snapshots. Where streams are the only truth, keep everything: leave `retention` out.',
  },
  'secret-key-missing': {
    when: 'Stored secrets were encrypted with a key that is neither in `.millrace/secret-key` nor in `MILLRACE_SECRET_KEY`, or the key cannot be read.',
    act: 'Put the key back. Without it, give each subscription new secrets with `PUT`.',
  },
  'batch-unknown': {
    when: 'The subscription never gave out a batch of this name, or the batch ended more than a day ago.',
    act: 'Fetch another batch. What was confirmed stays confirmed.',
  },
  'receipt-stale': {
    when: 'The receipt is not that of the batch, or the batch is no longer its: the deadline passed and part of it was offered again, or it was given back. `because` says which, `elsewhere` lists events that were offered again. Nothing was changed.',
    act: 'Drop what is left of the batch and fetch another one. Ask for a longer `lease`, or extend it in time, when this happens often.',
  },
  overloaded: {
    when: 'More is waiting to be stored than the bound allows.',
    act: 'Wait as long as `Retry-After` says and send the same event again: its id keeps it from being stored twice.',
  },
  stopping: {
    when: 'The pipeline is draining and takes nothing new.',
    act: 'Send it again after the restart.',
  },
  'not-found': {
    when: 'The path, or the thing that it names, is not there.',
    act: 'Check the address and the number or name in it.',
  },
  'method-not-allowed': {
    when: 'The path is there, and does not answer this method.',
    act: 'Use a method that the `Allow` header lists.',
  },
  'bad-request': {
    when: 'A parameter, header or field of the request is not understood.',
    act: 'Correct what the message names.',
  },
  unauthorized: {
    when: 'The request has no token, or one that is not known.',
    act: 'Send `Authorization: Bearer …` with a token of the configuration.',
  },
  forbidden: {
    when: 'The token is known and has not the scope for this, or the origin of the page is not allowed.',
    act: 'Use a token with the scope that the message names.',
  },
  'host-unknown': {
    when: 'The `Host` header is not one that this server answers for. This protects a local server from web pages that rebind a name.',
    act: 'Use the address that the server printed at its start.',
  },
  'subscription-unknown': { when: 'No subscription has this name.', act: '`millrace subscriptions` lists the names.' },
  'state-conflict': {
    when: 'What was asked cannot be done in the present state.',
    act: 'The message says which state it is in and what to do first.',
  },
  'store-locked': {
    when: 'Another process has this store open. One process owns a store.',
    act: 'Stop the other process, or use its HTTP address instead of the file.',
  },
  'store-full': {
    when: 'The disk (or the size limit) is full; the write was not made.',
    act: 'Free space. The store goes on by itself; nothing acknowledged is lost.',
  },
  'store-readonly': {
    when: 'The file or its folder cannot be written.',
    act: 'Check owner, permissions and mount of the path that the message names.',
  },
  'store-corrupt': {
    when: 'The store holds something that cannot be as it was written.',
    act: 'Stop, keep the files, run `millrace verify`, and restore a backup if it confirms the damage.',
  },
  'store-newer': { when: 'A newer version of Millrace wrote this store.', act: 'Use that version or a newer one.' },
  'store-foreign': {
    when: 'The file is there and is not a Millrace store.',
    act: 'Check `store.path`. The file was not changed.',
  },
  'store-indeterminate': {
    when: 'The write was begun and its end is not known: it may or may not be stored.',
    act: 'Send the same event (same source and id) again. The answer is then `stored` or `duplicate`, and both mean that it is there once.',
  },
  'store-closed': {
    when: 'The store was closed before the call.',
    act: 'Nothing was written. Open the pipeline again.',
  },
  'store-unopenable': { when: 'The store could not be opened.', act: 'The message names the file and the reason.' },
  'plugin-failed': {
    when: 'A source, stage, sink or store could not be loaded, made or opened.',
    act: 'The message names the plug-in and its own error.',
  },
  'address-unavailable': {
    when: 'The server was not started: another process listens at its address, this user may not use the port, or the machine has no such address. Nothing was delivered.',
    act: 'Stop the other process, or choose another port (`PORT`, `server.port`) or address (`server.host`).',
  },
  'server-unreachable': {
    when: 'The command line found no running server at the address.',
    act: 'Start it with `millrace run`, or give the address.',
  },
  usage: {
    when: 'The command, or one of its options, is not understood.',
    act: '`millrace --help` and `millrace COMMAND --help` list what there is.',
  },
  internal: {
    when: 'A promise inside Millrace was broken: a bug.',
    act: 'Report it with the message and the steps before it.',
  },
}

/** The reference page of every error code, from the codes themselves. */
export function errorPage(): string {
  const sections = Object.entries(errorCodes).map(([code, { status, title }]) => {
    const advice = errorAdvice[code]
    return [
      `## ${code}`,
      '',
      `${title}. HTTP status ${status}.`,
      '',
      `**When:** ${advice?.when}`,
      '',
      `**What to do:** ${advice?.act}`,
    ].join('\n')
  })
  return [
    '# Error codes',
    '',
    '<!-- Generated by `npm run docs`; do not edit. -->',
    '',
    'Every error that Millrace throws is an `AppError` with one of these codes, and every error of the HTTP API has the code at the end of its problem `type`. Codes are stable; messages are for people and may change.',
    '',
    ...sections.map((section) => `${section}\n`),
  ].join('\n')
}
