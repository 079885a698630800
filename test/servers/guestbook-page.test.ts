import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeInBrowser, openBrowser } from '../browser.ts';
import { type Guestbook, startGuestbook, WAYS } from './guestbook.ts';
import { describeWith, type Program } from './program.ts';
import { Visitor } from './visitor.ts';

const PASSWORD = 'correct horse';
const ENTRY = "<script>alert('Hello')</script>\nI only wanted to see whether this does anything.";

/** To be uploaded. */
const LANDSCAPE = `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="240" viewBox="0 0 640 240">
  <rect width="640" height="240" fill="#f6c98f"/>
  <circle cx="470" cy="86" r="38" fill="#fff3d6"/>
  <path d="M0 150 120 70l90 70 80-50 130 90 100-60 120 70v90H0z" fill="#c98a76"/>
  <path d="M0 190 90 130l120 60 110-45 140 70 110-50 70 30v45H0z" fill="#8a5a63"/>
  <path d="M0 215 160 180l170 40 150-30 160 30v20H0z" fill="#4b3b4f"/>
</svg>`;

describeInBrowser('examples/guestbook', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => void (await browser?.close()));

  /** Something to look at. */
  async function draw(): Promise<Buffer> {
    const page = await browser.newPage({ viewport: { width: 640, height: 240 } });
    await page.setContent(`<body style="margin:0">${LANDSCAPE}`);
    const image = await page.screenshot();
    await page.close();
    return image;
  }

  for (const { name, server, open } of WAYS) {
    describeWith(server, name, () => {
      let guestbook: Guestbook;
      let web: Program | undefined;
      let origin: string;
      beforeAll(async () => {
        guestbook = await startGuestbook();
        const { port, program } = await open(guestbook);
        web = program;
        origin = `http://127.0.0.1:${port}`;
        const ada = new Visitor(origin);
        await ada.send('/register', { name: 'Ada Lovelace', password: PASSWORD });
        await ada.send('/', { text: ENTRY });
      });
      afterAll(async () => {
        await web?.stop();
        await guestbook?.program.stop();
      });

      it('is walked through: register, log out and in, write, upload, see it at once, delete', async () => {
        const context = await browser.newContext({ baseURL: origin, viewport: { width: 900, height: 880 } });
        const page = await context.newPage();
        const wrong: string[] = [];
        page.on('pageerror', ({ message }) => wrong.push(message));
        page.on('dialog', (dialog) => wrong.push(dialog.message()));
        page.on('requestfailed', (request) => wrong.push(request.url()));
        page.on('response', (response) => {
          if (response.status() >= 400) wrong.push(`${response.status()} ${response.url()}`);
        });
        const enter = async () => {
          await page.fill('[name=name]', 'Grace Hopper');
          await page.fill('[name=password]', PASSWORD);
          await page.click('main button');
          await page.waitForSelector('nav >> text=Grace Hopper');
        };

        await page.goto('/');
        await page.click('nav >> text=Register');
        await enter();
        await page.click('text=Log out');
        await page.click('nav >> text=Log in');
        await enter();

        // It never ends, so it is never loaded.
        const live = await context.newPage();
        await live.goto('/live', { waitUntil: 'commit' });
        await live.waitForSelector('.live', { state: 'attached' });

        await page.fill('textarea', 'The view from up here. I walked all day, and it was worth it.');
        await page.setInputFiles('[type=file]', { name: 'view.png', mimeType: 'image/png', buffer: await draw() });
        await page.click('text=Sign the guestbook');
        const entry = page.locator('article', { hasText: 'The view from up here' });
        const widthOf = (image: { naturalWidth: number }) => image.naturalWidth;
        await expect.poll(() => entry.locator('img').evaluate(widthOf)).toBe(640);
        await live.waitForSelector('article img');
        expect(await page.locator('article p').allTextContents()).toContain(ENTRY);

        const screenshot = await page.screenshot({ path: process.env.FCGI_SCREENSHOT });
        // Of a PNG, its width and height.
        expect([screenshot.readUInt32BE(16), screenshot.readUInt32BE(20)]).toEqual([900, 880]);
        expect(screenshot.length).toBeGreaterThan(20_000);
        expect(screenshot.length).toBeLessThan(150_000);

        await entry.locator('button').click();
        await entry.waitFor({ state: 'detached' });
        expect(wrong).toEqual([]);
        await context.close();
      });
    });
  }
});
