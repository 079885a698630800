import { type Browser, chromium } from 'playwright-core';
import { describeWith } from './servers/program.ts';

/** `describe`, for what needs a browser: where it is not installed, as `describeWith` has it. */
export function describeInBrowser(name: string, body: () => void): void {
  describeWith('chromium', name, body);
}

/** Debian's chromium, for playwright-core brings none: without a window, with nothing of an earlier one; it loads nothing by itself. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      // Without it, it does not start as root.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
