/* Debian's Chromium, driven by playwright-core. A page that breaks the content security policy or throws is a failure. */
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const program = process.env.CHROMIUM ?? '/usr/bin/chromium';
const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export function browserMissing() {
  return existsSync(program) ? '' : `${program} is not installed`;
}

export function openBrowser() {
  return chromium.launch({ executablePath: program, args: flags });
}

/** A fresh visitor. `faults` fills with what no page may do. */
export async function visit(browser, { width = 1366, height = 768, phone = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', isMobile: phone, hasTouch: phone,
  });
  const page = await context.newPage();
  const faults = [];
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => faults.push(`threw: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|ElementPlusError/.test(message.text())) faults.push(message.text());
  });
  return { context, page, faults };
}

/** What is wider than the window, in pixels: nothing may be. */
export function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

export async function signIn(page, url, name, password) {
  await page.goto(`${url}/console/sign-in`);
  await page.fill('[name=username]', name);
  await page.fill('[name=password]', password);
  await page.click('button[type=submit]');
  await page.waitForURL((at) => !at.pathname.endsWith('/sign-in'));
}

/** Fills the form that a first password leads to. */
export async function changePassword(page, old, fresh) {
  await page.waitForURL('**/console/password');
  await page.fill('[name=old]', old);
  await page.fill('[name=new]', fresh);
  await page.fill('[name=again]', fresh);
  await page.click('button[type=submit]');
  await page.waitForURL((at) => !at.pathname.endsWith('/password'));
}

export function menu(page) {
  return page.locator('nav.menu a').allTextContents();
}
