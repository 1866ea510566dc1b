// A page server of our own, and a Chromium that may talk to nobody else.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {chromium} from 'playwright-core';

const servers = new Set();

// Whatever a failed test left running.
export const stopServers = () => Promise.all([...servers].map((server) => server.stop()));

export async function startServer(...options) {
  const child = spawn(process.env.PAGE_SERVER, options, {stdio: ['ignore', 'pipe', 'inherit']});
  const [address] = await once(createInterface({input: child.stdout}), 'line');
  const server = {
    address,
    url: `http://${address}`,
    async api(path) {
      const answer = await (await fetch(`http://${address}/api/v1/${path}`)).json();
      return answer.data;
    },
    async stop() {
      if (!servers.delete(server)) return;
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      if (child.exitCode !== 0) throw new Error(`page_server ended with ${child.exitCode}`);
    },
  };
  servers.add(server);
  return server;
}

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// A fresh profile. `complaints` gathers what a person would find in the console, and every request that leaves.
export async function openPage(browser, server, hash, options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 800}, colorScheme: 'dark', ...options});
  const page = await context.newPage();
  page.setDefaultTimeout(90000); // a busy machine is slow, and not wrong
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url + '/')) complaints.push(`left the machine: ${request.url()}`);
  });
  await page.goto(`${server.url}/${hash}`);
  return {page, complaints, close: () => context.close()};
}
