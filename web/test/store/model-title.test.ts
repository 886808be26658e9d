import { expect, it } from 'vitest';
import { cleanTitle } from '../../src/store/model-title';

it.each([
  ['"A plan."', 'A plan'],
  ['\n  «Un plan»\nmore', 'Un plan'],
  ['»Ein Plan«', 'Ein Plan'],
  ['「計画」', '計画'],
  ['《计划》。', '计划'],
  ['“.”', ''],
  [' ', ''],
])('takes the title %j to be %j', (text, title) => expect(cleanTitle(text)).toBe(title));
