import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const WEB = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(WEB, path), 'utf8');

it('About names the licence of every work that the page ships, and of no other', () => {
  const { dependencies } = JSON.parse(read('package.json'));
  const shipped = Object.keys(dependencies).map((name) => {
    const { license } = JSON.parse(read(`node_modules/${name}/package.json`));
    return `${name.toLowerCase()} ${license}`;
  });
  const about = read('src/app/settings/About.tsx');
  const [, list = ''] = /LICENCES = \[([\s\S]*?)\n\];/.exec(about) ?? [];
  const named = [...list.matchAll(/\['([^']+)', '([^']+)'\]/g)];
  expect(named.map(([, name, licence]) => `${name?.toLowerCase()} ${licence}`).sort()).toEqual(
    shipped.sort(),
  );
});
