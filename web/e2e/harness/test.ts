import { test as base, expect, type Page } from '@playwright/test';
import { CLIENT_KEY, type Gateway, startGateway } from './gateway.ts';
import { type ReverseProxy, startProxy } from './proxy.ts';
import { startUpstream, type Upstream } from './upstream.ts';

export { CLIENT_KEY, expect };

export type GatewayOptions = Omit<Parameters<typeof startGateway>[0], 'upstream'>;

interface WorkerFixtures {
  upstream: Upstream;
  /** URL of the gateway shared by most tests. */
  gateway: string;
}

interface TestFixtures {
  /** Starts another gateway and returns its URL. */
  another: (options: GatewayOptions & { prefix?: string }) => Promise<string>;
  chat: Chat;
  /** Fails the test on a page error or a CSP violation. */
  watch: undefined;
}

const dist = process.env.TRUNKLINE_PAGE_DIST;

async function serve(
  options: GatewayOptions & { prefix?: string },
  upstream: Upstream,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const { prefix, ...rest } = options;
  const gateway: Gateway = await startGateway({ ...rest, upstream: upstream.url });
  let proxy: ReverseProxy | undefined;
  if (prefix !== undefined || dist) {
    proxy = await startProxy({
      target: gateway.url,
      prefix: prefix ?? rest.rootPath ?? '',
      ...(dist && { dist }),
    });
  }
  return {
    url: proxy ? proxy.url : gateway.url + (rest.rootPath ?? ''),
    async stop() {
      await proxy?.close();
      await gateway.stop();
    },
  };
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  upstream: [
    // biome-ignore lint/correctness/noEmptyPattern: the form that Playwright asks for
    async ({}, use) => {
      const upstream = await startUpstream();
      await use(upstream);
      await upstream.close();
    },
    { scope: 'worker' },
  ],
  gateway: [
    async ({ upstream }, use) => {
      const gateway = await serve({}, upstream);
      await use(gateway.url);
      await gateway.stop();
    },
    { scope: 'worker' },
  ],
  another: async ({ upstream }, use) => {
    const started: { stop: () => Promise<void> }[] = [];
    await use(async (options) => {
      const gateway = await serve(options, upstream);
      started.push(gateway);
      return gateway.url;
    });
    for (const gateway of started) await gateway.stop();
  },
  chat: async ({ page, gateway }, use) => {
    await use(new Chat(page, gateway));
  },
  watch: [
    async ({ page }, use) => {
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
      page.on('console', (message) => {
        const text = message.text();
        if (/content security policy|trusted ?types|refused to/i.test(text)) problems.push(text);
      });
      await use(undefined);
      expect(problems).toEqual([]);
    },
    { auto: true },
  ],
});

/** User actions. */
export class Chat {
  constructor(
    readonly page: Page,
    readonly url: string,
  ) {}

  async open(path = '/'): Promise<void> {
    await this.page.goto(this.url + path);
    await expect(this.composer).toBeVisible();
  }

  get composer() {
    return this.page.locator('textarea#composer');
  }

  get answers() {
    return this.page.locator('article.answer');
  }

  get last() {
    return this.answers.last();
  }

  /** Does not wait for the answer. */
  async send(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.page.getByRole('button', { name: 'Send', exact: true }).click();
  }

  /** Waits for the complete answer. */
  async ask(text: string): Promise<void> {
    const before = await this.answers.count();
    await this.send(text);
    await expect(this.answers).toHaveCount(before + 1);
    await this.settled();
  }

  async settled(): Promise<void> {
    await expect(this.last).toHaveAttribute('aria-busy', 'false');
  }

  async model(name: string): Promise<void> {
    await this.page.locator('header').getByRole('button', { name: /model/i }).first().click();
    await this.page
      .getByRole('option', { name: new RegExp(`\\b${name}\\b`) })
      .first()
      .click();
  }
}
