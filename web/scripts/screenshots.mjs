// Copies the README's screenshots from the browser tests to docs/images, without
// PNG metadata and recompressed.
//   (cd e2e && npm test -- --project=page -g 'desktop (status|compare)') && node scripts/screenshots.mjs
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, crc32, deflateSync, inflateSync } from 'node:zlib';

const SHOTS = join(import.meta.dirname, '../e2e/shots');
const IMAGES = join(import.meta.dirname, '../../docs/images');
const SCREENSHOTS = {
  'chat.png': 'status-desktop-light.png',
  'compare.png': 'compare-desktop-dark.png',
};
const MAX_BYTES = 150 * 1024;
const SIGNATURE_BYTES = 8;

mkdirSync(IMAGES, { recursive: true });
for (const [name, shot] of Object.entries(SCREENSHOTS)) {
  const png = packed(readFileSync(join(SHOTS, shot)));
  if (png.length > MAX_BYTES) throw new Error(`${name} is too large: ${png.length} bytes`);
  writeFileSync(join(IMAGES, name), png);
  console.log(`${name} ${Math.round(png.length / 1024)} KB`);
}

/** The image reduced to its IHDR and IDAT chunks. */
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
