// node tests/web/picture.mjs URL OUT.png [--hash '#/hosts/NAME'] [--theme dark|light] [--size 1280x800]
// A picture of a running server's page, for the README: taken from a real run, never painted.
import {chromium} from 'playwright-core';
import {parseArgs} from 'node:util';

const {values, positionals: [url, out]} = parseArgs({allowPositionals: true, options: {hash: {type: 'string', default: '#/'}, theme: {type: 'string', default: 'dark'}, size: {type: 'string', default: '1280x800'}}});
const [width, height] = values.size.split('x').map(Number);
const browser = await chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']});
const page = await browser.newPage({viewport: {width, height}, colorScheme: values.theme, deviceScaleFactor: 2});
await page.goto(`${url.replace(/\/$/, '')}/${values.hash}`);
await page.locator('.row, .timeline, .chart canvas, td, .deed, .empty').first().waitFor();
await page.waitForTimeout(1500);
await page.screenshot({path: out});
await browser.close();
