/** The configuration that `millrace init` writes: it runs as it is, and says what each part is for. */
export const starterConfig = `# yaml-language-server: $schema=./millrace.schema.json
#
# Millrace: sources bring events in, the store keeps them in order, subscriptions work on them and send them out.
#   millrace check             every problem of this file, with its line
#   millrace run               runs it; Ctrl-C stops
#   millrace describe webhook  the options of a source, sink, stage or store; \`millrace list\` shows all
#
# Durations are written 500ms, 30s, 5m, 1h 30m, 7d; sizes 64KiB, 1MiB. \${NAME} is replaced by an environment variable,
# \${NAME:-default} gives a default, $$ is a dollar sign. A .env beside this file is read too.

# Where events are kept. An answer to a publisher means that its event is on disk.
store:
  type: sqlite
  path: ./.millrace/events.db

# How long events are kept; without this, for ever. What a subscription still needs is never removed.
retention:
  age: 30d

server:
  host: 127.0.0.1
  port: 7117

sources:
  # Events posted to http://127.0.0.1:7117/v1/events
  api:
    type: http
  # Files dropped into ./inbox
  inbox:
    type: directory
    path: ./inbox

subscriptions:
  # Prints every event.
  print:
    match: ['*']
    sink:
      type: console

  # Sends orders to a receiver of yours, tried again for three days when it is away. Set ORDERS_URL and uncomment it.
  # orders:
  #   match: [order.*]
  #   ordering: key            # in order for each subject
  #   onFailure: block         # later events of a subject wait for the one that fails
  #   stages:
  #     - use: ./enrich.ts     # \`millrace new stage enrich\` writes it
  #   sink:
  #     type: webhook
  #     url: \${ORDERS_URL}
`
