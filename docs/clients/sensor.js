// A motion sensor for kinestream in Node.js: npm install zeromq; node sensor.js tcp://127.0.0.1:5556 1000
// Receive its samples with: kinestream run 'zmq+tcp://127.0.0.1:5556?mode=pull&bind=1'
const { Push } = require("zeromq");

const [to, samples] = [process.argv[2] ?? "tcp://127.0.0.1:5556", Number(process.argv[3] ?? 1000)];
const [rate, perMessage, session] = [50, 25, "run-" + Date.now()];
const channels = "acc_x m/s^2\nacc_y m/s^2\nacc_z m/s^2\ngyro_x rad/s\ngyro_y rad/s\ngyro_z rad/s";

function header(flags, n, seq, t0) {
  const names = Buffer.from(session + (n ? channels : ""));
  const head = Buffer.alloc(48);
  head.write("KIMU");
  head.set([1, flags, n ? 6 : 0, session.length], 4); // version, flags, channels, bytes of session name
  head.writeUInt32LE(n, 8);
  head.writeUInt16LE(n ? channels.length : 0, 12);
  head.writeBigUInt64LE(BigInt(seq), 16);
  [n && rate, t0, t0 + n / rate].forEach((value, k) => head.writeDoubleLE(value, 24 + 8 * k));
  return Buffer.concat([head, names]);
}

async function main() {
  const socket = new Push();
  socket.connect(to);
  for (let seq = 0; seq < samples; seq += perMessage) {
    const payload = Buffer.alloc(perMessage * 6 * 4);
    for (let i = 0; i < perMessage; i++) // read your sensor here; this example lies still and turns about z
      [0, 0, 9.80665, 0, 0, Math.sin((seq + i) / rate)].forEach((v, k) => payload.writeFloatLE(v, 24 * i + 4 * k));
    await socket.send(["imu/node", header(0, perMessage, seq, seq / rate), payload]);
  }
  await socket.send(["imu/node", header(4, 0, samples, 0), ""]); // the end of the stream
  socket.close();
}
main();
