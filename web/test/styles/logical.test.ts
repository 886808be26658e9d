import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SRC } from '../i18n/sources';

/** Sides of the screen, for which there are names by the direction of the text. */
const SIDE =
  /^(?:left|right|(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)(?:-\w+)?|border-(?:top|bottom)-(?:left|right)-radius)$/;
/** Of four sides, clockwise from above. */
const FOUR = /^(?:margin|padding|inset|border-(?:width|style|color)|scroll-(?:margin|padding))$/;
const BY_VALUE = /^(?:float|clear|text-align|text-align-last|caption-side)$/;
const MOVE = /^(?:transform|translate)$/;

interface Declaration {
  selector: string;
  name: string;
  value: string;
}

function declarations(css: string): Declaration[] {
  const found: Declaration[] = [];
  const open: string[] = [];
  const parts = css.replace(/\/\*[\s\S]*?\*\//g, '').matchAll(/([^{};]*)([{};])/g);
  for (const [, text = '', end] of parts) {
    if (end === '{') {
      open.push(text.trim());
      continue;
    }
    const [, name, value] = /^\s*([\w-]+)\s*:\s*([\s\S]+?)(?:\s*!important)?\s*$/.exec(text) ?? [];
    if (name && value) found.push({ selector: open.at(-1) ?? '', name, value });
    if (end === '}') open.pop();
  }
  return found;
}

/** The values of a list; a function with spaces within is one. */
const valuesOf = (value: string) => value.match(/(?:[^\s()]|\((?:[^()]|\([^()]*\))*\))+/g) ?? [];

function physical(css: string): string[] {
  const all = declarations(css);
  const isMirrored = ({ selector, name }: Declaration) =>
    selector.startsWith('[dir="rtl"]') ||
    all.some((other) => other.name === name && other.selector === `[dir="rtl"] ${selector}`);
  const isPhysical = (declaration: Declaration) => {
    const { name, value } = declaration;
    const [top, right = top, bottom = top, left = right] = valuesOf(value);
    if (FOUR.test(name)) return right !== left;
    // Corners, from the upper left one.
    if (name === 'border-radius') return top !== right || bottom !== left;
    if (BY_VALUE.test(name)) return /left|right/.test(value);
    if (MOVE.test(name)) return /translateX|^-?[1-9]/.test(value) && !isMirrored(declaration);
    // Shadows on both sides are alike in both directions.
    const [toLeft, toRight] = [/to left/g, /to right/g].map((to) => value.match(to)?.length);
    return SIDE.test(name) || toLeft !== toRight;
  };
  return all
    .filter(isPhysical)
    .map(({ selector, name, value }) => `${selector} { ${name}: ${value} }`);
}

describe('the styles name sides by the direction of the text', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' });

  it.each(files.filter((name) => name.endsWith('.css')))('%s', (name) => {
    expect(physical(readFileSync(join(SRC, name), 'utf8'))).toEqual([]);
  });

  it.each([
    ['left: 0', false],
    ['margin-left: 4px', false],
    ['border-right-color: red', false],
    ['border-top-left-radius: 4px', false],
    ['text-align: right', false],
    ['float: left', false],
    ['padding: 1px 2px 3px 4px', false],
    ['inset: 0 auto 0 0 !important', false],
    ['border-radius: 4px 0 0 4px', false],
    ['transform: translateX(-50%)', false],
    ['translate: 14px 0', false],
    ['background: linear-gradient(to right, red, blue)', false],
    ['inset-inline-start: 0', true],
    ['text-align: end', true],
    ['padding: 1px 2px 3px', true],
    ['padding: 0 16px calc(1px + env(a b)) 16px', true],
    ['border-radius: 16px 16px 0 0', true],
    ['transform: translateY(6px)', true],
    ['background: linear-gradient(to right, a, b), linear-gradient(to left, a, b)', true],
  ])('%s', (declaration, isLogical) => {
    expect(physical(`@media (a: b) { .a { & b { color: red; ${declaration}; } } }`)).toHaveLength(
      isLogical ? 0 : 1,
    );
  });

  it('a move in both directions', () => {
    const move = (selector: string, by: string) => `${selector} { transform: translateX(${by}); }`;
    expect(physical(move('.a', '-9px') + move('[dir="rtl"] .a', '9px'))).toEqual([]);
    expect(physical(move('.a', '-9px') + move('[dir="rtl"] .b', '9px'))).toHaveLength(1);
  });
});
