import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { draw, encode } from '../../vite/icons';

const svg = (name: string) => readFileSync(join(import.meta.dirname, '../../public', name), 'utf8');

const at = (pixels: Uint8Array, size: number, x: number, y: number) => [
  ...pixels.subarray((y * size + x) * 4, (y * size + x) * 4 + 4),
];

describe('icons', () => {
  it('have round corners, and the colours of the SVG', () => {
    const pixels = draw(svg('icon.svg'), 512);
    expect(at(pixels, 512, 0, 0)).toEqual([0, 0, 0, 0]);
    expect(at(pixels, 512, 256, 20)).toEqual([0x2a, 0x68, 0xc8, 255]);
    expect(at(pixels, 512, 130, 152)).toEqual([255, 255, 255, 255]);
    // White over blue, by 55 in 100.
    expect(at(pixels, 512, 120, 256)).toEqual([159, 187, 230, 255]);
  });

  it('fill the square where it is cut to a shape', () => {
    const pixels = draw(svg('icon-maskable.svg'), 180);
    for (const [x, y] of [
      [0, 0],
      [179, 0],
      [0, 179],
      [179, 179],
    ] as const)
      expect(at(pixels, 180, x, y)[3]).toBe(255);
  });

  it.each(['icon.svg', 'icon-maskable.svg'])('are small files with all pixels: %s', (name) => {
    const size = 192;
    const pixels = draw(svg(name), size);
    const png = encode(pixels, size);
    expect(png.length).toBeLessThan(4096);
    const chunks = new Map<string, Buffer>();
    for (let place = 8; place < png.length; ) {
      const length = png.readUInt32BE(place);
      const body = png.subarray(place + 8, place + 8 + length);
      chunks.set(png.toString('latin1', place + 4, place + 8), body);
      place += length + 12;
    }
    const lines = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0));
    const colours = chunks.get('PLTE') ?? Buffer.alloc(0);
    const alphas = chunks.get('tRNS') ?? Buffer.alloc(0);
    for (let y = 0; y < size; y += 7) {
      for (let x = 0; x < size; x += 5) {
        const index = lines[y * (size + 1) + 1 + x] ?? 0;
        const colour = [...colours.subarray(index * 3, index * 3 + 3), alphas[index] ?? 255];
        expect(colour).toEqual(at(pixels, size, x, y));
      }
    }
  });

  it('refuse what they cannot draw', () => {
    expect(() => draw('<svg viewBox="0 0 9 9"><path d="M0 0q1 1 2 2"/></svg>', 9)).toThrow(/q/);
  });
});
