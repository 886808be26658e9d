// Puts the README's pictures of the page into docs/images, from those that the
// browser tests took: without what PNG files carry along, and packed tighter.
//   (cd e2e && npm test -- --project=page -g 'desktop (status|compare)') && node scripts/pictures.mjs
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, crc32, deflateSync, inflateSync } from 'node:zlib';

const SHOTS = join(import.meta.dirname, '../e2e/shots');
const IMAGES = join(import.meta.dirname, '../../docs/images');
const PICTURES = {
  'chat.png': 'status-desktop-light.png',
  'compare.png': 'compare-desktop-dark.png',
};
const MOST_BYTES = 150 * 1024;
const SIGNATURE_BYTES = 8;

mkdirSync(IMAGES, { recursive: true });
for (const [name, shot] of Object.entries(PICTURES)) {
  const png = packed(readFileSync(join(SHOTS, shot)));
  if (png.length > MOST_BYTES) throw new Error(`${name} is too large: ${png.length} bytes`);
  writeFileSync(join(IMAGES, name), png);
  console.log(`${name} ${Math.round(png.length / 1024)} KB`);
}

/** The same picture with its header and its data only. */
function packed(png) {
  let header;
  const data = [];
  for (let at = SIGNATURE_BYTES; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') header = body;
    if (type === 'IDAT') data.push(body);
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(data));
  const forms = [constants.Z_DEFAULT_STRATEGY, constants.Z_FILTERED, constants.Z_RLE].map(
    (strategy) => deflateSync(raw, { level: 9, memLevel: 9, strategy }),
  );
  const smallest = forms.reduce((a, b) => (b.length < a.length ? b : a));
  return Buffer.concat([
    png.subarray(0, SIGNATURE_BYTES),
    chunk('IHDR', header),
    chunk('IDAT', smallest),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, body) {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(body.length, 0);
  frame.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
}
