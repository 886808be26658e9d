import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import type { Plugin } from 'vite';

/**
 * The icons as PNG, for iOS and for launchers that draw no SVG. Drawn at each build from the SVG
 * files, pixel by pixel by arithmetic alone, so that they are the same everywhere.
 */
const ICONS = [
  // iOS rounds the corners itself, and shows transparent ones in black.
  { name: 'apple-touch-icon.png', svg: 'icon-maskable.svg', size: 180 },
  { name: 'icon-192.png', svg: 'icon.svg', size: 192 },
  { name: 'icon-512.png', svg: 'icon.svg', size: 512 },
  { name: 'icon-maskable-512.png', svg: 'icon-maskable.svg', size: 512 },
];

const PUBLIC = join(import.meta.dirname, '../public');

export function icons(): Plugin {
  return {
    name: 'trunkline-icons',
    apply: 'build',
    async writeBundle(options) {
      for (const { name, svg, size } of ICONS) {
        const text = await readFile(join(PUBLIC, svg), 'utf8');
        await writeFile(join(options.dir ?? 'dist', name), encode(draw(text, size), size));
      }
    },
  };
}

type Point = [x: number, y: number];

interface Shape {
  colour: number[];
  opacity: number;
  /** Distance to the edge in units of the SVG, negative inside. */
  distance: (x: number, y: number) => number;
}

/** RGBA, without premultiplied alpha. */
export function draw(svg: string, size: number): Uint8Array {
  const [, width = '512'] = /viewBox="0 0 (\d+) \1"/.exec(svg) ?? [];
  const unit = Number(width) / size;
  const shapes = shapesOf(svg);
  const pixels = new Uint8Array(size * size * 4);
  for (let at = 0; at < size * size; at++) {
    const x = ((at % size) + 0.5) * unit;
    const y = (Math.floor(at / size) + 0.5) * unit;
    let [red, green, blue, alpha] = [0, 0, 0, 0];
    for (const { colour, opacity, distance } of shapes) {
      // An edge covers a pixel by as much as it is away from its centre.
      const covered = Math.min(1, Math.max(0, 0.5 - distance(x, y) / unit)) * opacity;
      const below = alpha * (1 - covered);
      const total = covered + below;
      if (total === 0) continue;
      const mix = (over: number | undefined, under: number) =>
        ((over ?? 0) * covered + under * below) / total;
      [red, green, blue] = [mix(colour[0], red), mix(colour[1], green), mix(colour[2], blue)];
      alpha = total;
    }
    pixels.set([red, green, blue, alpha * 255].map(Math.round), at * 4);
  }
  return pixels;
}

/** Of rectangles, polygons and strokes with round ends: what the icons consist of. */
function shapesOf(svg: string): Shape[] {
  const shapes: Shape[] = [];
  let group: Record<string, string> = {};
  for (const [, tag, text = ''] of svg.matchAll(/<(rect|path|g|\/g)\b([^>]*)>/g)) {
    const own = Object.fromEntries(
      [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    const of: Record<string, string> = { ...group, ...own };
    if (tag === 'g' || tag === '/g') group = tag === 'g' ? own : {};
    else if (tag === 'rect') {
      const distance = roundedRect(Number(of.width), Number(of.height), Number(of.rx ?? 0));
      shapes.push({ colour: colourOf(of.fill), opacity: 1, distance });
    } else {
      const points = pointsOf(of.d ?? '');
      const toLine = (x: number, y: number) => distanceTo(points, x, y);
      if (of.stroke) {
        const half = Number(of['stroke-width']) / 2;
        const opacity = Number(of['stroke-opacity'] ?? 1);
        const distance = (x: number, y: number) => toLine(x, y) - half;
        shapes.push({ colour: colourOf(of.stroke), opacity, distance });
      } else {
        const distance = (x: number, y: number) =>
          isInside(points, x, y) ? -toLine(x, y) : toLine(x, y);
        shapes.push({ colour: colourOf(of.fill), opacity: 1, distance });
      }
    }
  }
  return shapes;
}

function colourOf(text = '#000'): number[] {
  const digits = text.slice(1);
  const long = digits.length === 3 ? digits.replace(/./g, '$&$&') : digits;
  return [0, 2, 4].map((at) => Number.parseInt(long.slice(at, at + 2), 16));
}

function roundedRect(width: number, height: number, radius: number) {
  return (x: number, y: number) => {
    const dx = Math.abs(x - width / 2) - width / 2 + radius;
    const dy = Math.abs(y - height / 2) - height / 2 + radius;
    const outside = Math.hypot(Math.max(dx, 0), Math.max(dy, 0));
    return outside + Math.min(Math.max(dx, dy), 0) - radius;
  };
}

/** Lines that a curve is drawn by. */
const STEPS = 32;

function pointsOf(path: string): Point[] {
  const points: Point[] = [];
  let [x, y] = [0, 0];
  for (const [, letter = '', text = ''] of path.matchAll(/([a-zA-Z])([^a-zA-Z]*)/g)) {
    const n = (text.match(/-?(?:\d+\.?\d*|\.\d+)/g) ?? []).map(Number) as number[];
    const [fromX, fromY] = letter === letter.toLowerCase() ? [x, y] : [0, 0];
    const at = (i: number): Point => [fromX + (n[i] ?? 0), fromY + (n[i + 1] ?? 0)];
    const command = letter.toLowerCase();
    if (command === 'z') [x, y] = points[0] ?? [0, 0];
    else if (command === 'h') x = fromX + (n[0] ?? 0);
    else if (command === 'v') y = fromY + (n[0] ?? 0);
    else if (command === 'm' || command === 'l') [x, y] = at(0);
    else if (command === 'c') {
      const curve: Point[] = [[x, y], at(0), at(2), at(4)];
      for (let step = 1; step < STEPS; step++) points.push(onCurve(curve, step / STEPS));
      [x, y] = at(4);
    } else throw new Error(`${letter} in a path of an icon`);
    points.push([x, y]);
  }
  return points;
}

/** By de Casteljau. */
function onCurve(points: Point[], t: number): Point {
  const [first, ...rest] = points;
  if (rest.length === 0) return first ?? [0, 0];
  const between = rest.map(([x, y], i): Point => {
    const [fromX, fromY] = points[i] ?? [0, 0];
    return [fromX + (x - fromX) * t, fromY + (y - fromY) * t];
  });
  return onCurve(between, t);
}

function distanceTo(points: Point[], x: number, y: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i < points.length; i++) {
    const [ax, ay] = points[i - 1] as Point;
    const [bx, by] = points[i] as Point;
    const [dx, dy] = [bx - ax, by - ay];
    const along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1);
    const t = Math.min(1, Math.max(0, along));
    least = Math.min(least, Math.hypot(x - ax - t * dx, y - ay - t * dy));
  }
  return least;
}

function isInside(points: Point[], x: number, y: number): boolean {
  let inside = false;
  for (let i = 1; i < points.length; i++) {
    const [ax, ay] = points[i - 1] as Point;
    const [bx, by] = points[i] as Point;
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Colour types of PNG. */
const INDEXED = 3;
const RGBA = 6;

/** PNG (ISO/IEC 15948), with a palette where it has few colours. */
export function encode(pixels: Uint8Array, size: number): Buffer {
  const view = new DataView(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const all = Array.from({ length: size * size }, (_, at) => view.getUint32(at * 4));
  // Transparent ones first: the list of their alphas may then be short.
  const colours = [...new Set(all)].sort((one, other) => (one & 255) - (other & 255));
  const chunks: [type: string, body: Uint8Array][] = [];
  const indexed = colours.length <= 256;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, indexed ? INDEXED : RGBA], 8);
  chunks.push(['IHDR', header]);
  if (indexed) {
    const rgb = colours.flatMap((colour) => [
      colour >>> 24,
      (colour >>> 16) & 255,
      (colour >>> 8) & 255,
    ]);
    const alphas = colours.map((colour) => colour & 255).filter((alpha) => alpha < 255);
    chunks.push(['PLTE', Uint8Array.from(rgb)]);
    if (alphas.length > 0) chunks.push(['tRNS', Uint8Array.from(alphas)]);
  }
  const index = new Map(colours.map((colour, at) => [colour, at]));
  const bytes = indexed ? Uint8Array.from(all, (colour) => index.get(colour) ?? 0) : pixels;
  const row = bytes.length / size;
  const lines = new Uint8Array((row + 1) * size);
  // Each line begins with its filter: none.
  for (let y = 0; y < size; y++)
    lines.set(bytes.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  chunks.push(['IDAT', deflateSync(lines, { level: 9, memLevel: 9 })]);
  chunks.push(['IEND', new Uint8Array()]);
  return Buffer.concat([
    Uint8Array.from(SIGNATURE),
    ...chunks.map(([type, body]) => chunk(type, body)),
  ]);
}

function chunk(type: string, body: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}
