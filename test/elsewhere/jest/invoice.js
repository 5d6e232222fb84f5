// The stage of the subscription `billing`: an order becomes an invoice.
export default function invoice({ event }) {
  return { outcome: 'ack', derive: [{ type: 'invoice.due', data: { total: event.data.total } }] }
}
