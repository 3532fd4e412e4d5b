// An SMSC on node-smpp: node smsc.js PORT CONTROL_PORT. Accepts dialtree / secret.
// Submits are answered by the last two digits of the destination; see ANSWERS. POST / on the control port takes
// {"do": "deliver", "pdu": {...}}, {"do": "raw", "hex": "..."}, {"do": "unbind"}, {"do": "seen"}.
const http = require('http');
const smpp = require('smpp');

const [port, controlPort] = process.argv.slice(2).map(Number);
const sessions = new Set();
const seen = [];
let nextId = 0x1a2b3c;

process.on('uncaughtException', (error) => console.log('caught', error.message));

function receipt(session, pdu, fields, text) {
  session.deliver_sm({
    source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr,
    dest_addr_ton: 5, destination_addr: pdu.source_addr, esm_class: 4, short_message: text || '', ...fields,
  });
}

function receiptText(id, stat, err) {
  return `id:${id} sub:001 dlvrd:001 submit date:2611271200 done date:2611271201 stat:${stat} err:${err} text:x`;
}

const ANSWERS = {
  10: (s, p, id, ok) => { ok(); receipt(s, p, {}, receiptText(String(id).padStart(10, '0'), 'DELIVRD', '000')); },
  11: (s, p, id, ok) => { ok(); receipt(s, p, { receipted_message_id: id.toString(16), message_state: 2 }); },
  13: (s, p, id, ok) => {
    receipt(s, p, {}, receiptText(id.toString(16), 'UNDELIV', '0A1'));
    setImmediate(ok);
  },
  20: (s, p, id, ok, bad) => (tries(p) < 2 ? bad(smpp.ESME_RTHROTTLED) : ok()),
  22: (s, p, id, ok, bad) => bad(smpp.ESME_RINVDSTADR),
  30: () => {},
  33: (s, p) => s.send(new smpp.PDU('generic_nack', { command_status: 3, sequence_number: p.sequence_number })),
};

const counts = {};
function tries(pdu) {
  counts[pdu.destination_addr] = (counts[pdu.destination_addr] || 0) + 1;
  return counts[pdu.destination_addr] - 1;
}

function submit(session, pdu) {
  const text = pdu.short_message && pdu.short_message.message;
  seen.push({ to: pdu.destination_addr, coding: pdu.data_coding, text: String(text || pdu.message_payload || ''),
    esm_class: pdu.esm_class, reference: pdu.user_message_reference, operation: pdu.ussd_service_op });
  const id = nextId++;
  const ok = () => session.send(pdu.response({ message_id: id.toString(16) }));
  const bad = (status) => session.send(pdu.response({ command_status: status }));
  const answer = ANSWERS[pdu.destination_addr.slice(-2)] || ((s, p, i, accept) => accept());
  answer(session, pdu, id, ok, bad);
}

smpp.createServer({}, (session) => {
  session.on('error', () => {});
  session.on('close', () => sessions.delete(session));
  for (const kind of ['bind_transceiver', 'bind_receiver', 'bind_transmitter']) {
    session.on(kind, (pdu) => {
      const named = pdu.system_id === 'dialtree';
      const status = !named ? smpp.ESME_RINVSYSID : pdu.password !== 'secret' ? smpp.ESME_RINVPASWD : 0;
      session.send(pdu.response({ command_status: status, system_id: 'SMSC' }));
      if (!status) sessions.add(session);
    });
  }
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('submit_sm', (pdu) => submit(session, pdu));
}).listen(port, '127.0.0.1');

const COMMANDS = {
  seen: (asked, session, answer) => answer(seen.splice(0)),
  deliver: (asked, session, answer) => {
    if (asked.udh) asked.pdu.short_message = { udh: Buffer.from(asked.udh, 'hex'), message: asked.pdu.short_message };
    session.deliver_sm(asked.pdu, (pdu) => answer({ status: pdu.command_status }));
  },
  raw: (asked, session, answer) => { session.socket.write(Buffer.from(asked.hex, 'hex')); answer({}); },
  unbind: (asked, session, answer) => session.unbind({}, (pdu) => answer({ status: pdu.command_status })),
};

http.createServer((request, response) => {
  let body = '';
  request.on('data', (data) => { body += data; });
  request.on('end', () => {
    const asked = JSON.parse(body || '{"do": "seen"}');
    COMMANDS[asked.do](asked, [...sessions][0], (value) => response.end(JSON.stringify(value)));
  });
}).listen(controlPort, '127.0.0.1');
