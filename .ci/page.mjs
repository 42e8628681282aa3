// What .ci/page asks of the page in a browser.
//   node page.mjs URL ACCOUNT [FOLDER]: ACCOUNT is the simulator's state, FOLDER is for pictures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [url, account, folder] = process.argv.slice(2);
const servers = JSON.parse(readFileSync(account, "utf8")).servers.map(({ spec }) => String(spec.id ?? spec.uuid));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const faults = [];

// open WIDTH SCHEME: a tab in which every word on the console and every request elsewhere is a fault.
async function open(width, colorScheme) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    page.on("console", (message) => faults.push(`${page.url()}: console: ${message.text()}`));
    page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
    page.on("dialog", (dialog) => faults.push(`${page.url()}: a dialog: ${dialog.message()}`));
    page.on("request", (request) => {
        const isPage = request.isNavigationRequest() && new URL(request.url()).origin === url;
        if (!isPage) faults.push(`${page.url()}: asks for ${request.url()}`);
    });
    return page;
}

// The ids of the servers on this page, in order.
const ids = (page) =>
    page.$$eval("table.servers tbody th a", (links) => links.map((link) => decodeURIComponent(link.pathname.split("/")[2])));

// The ids of the servers on this page and all after it.
async function allIds(page) {
    const found = await ids(page);
    for (let next; (next = await page.$("nav.pages a[rel=next]")); found.push(...(await ids(page)))) {
        await Promise.all([page.waitForURL(/page=/), next.click()]);
        await page.waitForLoadState();
    }
    return found;
}

const sorted = (list) => [...list].sort();

{
    const page = await open(1280, "light");
    const answer = await page.goto(url);
    assert.equal(answer.status(), 200);
    assert.match(answer.headers()["content-security-policy"], /^default-src 'none'; style-src 'sha256-[^' ]+'; form-action 'self'/);

    // Paging shows each server once; so do all states together, each as many as it says.
    assert.deepEqual(sorted(await allIds(page)), sorted(servers), "every server, once");
    await page.goto(url);
    const states = await page.$$eval("nav.states a", (links) =>
        links.map((link) => ({ path: link.getAttribute("href"), count: Number(link.querySelector("b").textContent) })));
    assert.ok(states.length >= 6, JSON.stringify(states));
    const seen = new Set();
    for (const { path, count } of states.slice(1)) {
        await page.goto(url + path);
        const found = await allIds(page);
        assert.equal(found.length, count, path);
        found.forEach((id) => seen.add(id));
    }
    assert.deepEqual(sorted(seen), sorted(servers), "every server is in a state");

    // The form finds each of these by its name as it is shown, and by its id.
    await page.goto(`${url}/?state=failing`);
    const names = new Map();
    for (let number = 1; number <= 3; number += 1) {
        await page.goto(`${url}/?page=${number}`);
        for (const [id, name] of await page.$$eval("table.servers tbody th a", (links) =>
            links.map((link) => [decodeURIComponent(link.pathname.split("/")[2]), link.textContent]))) names.set(id, name);
    }
    const odd = [...names].filter(([, name]) => !/^web-server-\d+$/.test(name));
    assert.equal(odd.length, 5, JSON.stringify(odd));
    for (const [id, name] of [...odd, ...[...names].slice(0, 5)]) {
        for (const text of [name, id]) {
            await page.goto(url);
            await page.getByLabel("Name, id or policy").fill(text.slice(0, 256));
            await Promise.all([page.waitForURL(/q=/), page.getByRole("button", { name: "Find" }).click()]);
            assert.ok((await allIds(page)).includes(id), `${id} by ${text}`);
            assert.equal(await page.getByLabel("Name, id or policy").inputValue(), text.slice(0, 256));
        }
        await Promise.all([page.waitForURL(/servers/), page.locator(`table.servers a[href$="/${id}"]`).click()]);
        assert.equal(await page.locator("h1").textContent(), name);
    }
    await page.goto(`${url}/?q=nothing+is+called+this`);
    assert.deepEqual(await ids(page), []);
    await page.getByRole("link", { name: "Show all" }).click();
    assert.equal((await ids(page)).length, 100);

    // By keyboard: the first stop skips what every page has.
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.context().close();
    console.log(`${servers.length} servers, ${states.length} filters, ${odd.length} odd names: all are found`);
}

const paths = ["/", "/?page=3", "/?state=failing", "/?state=unprotected", "/?q=nothing+is+called+this"];
{
    const page = await open(1280, "light");
    for (const state of ["failing", "stale", "never", "exempt"]) {
        await page.goto(`${url}/?state=${state}`);
        paths.push(`/servers/${(await ids(page))[0]}`);
    }
    for (const name of ["img", "long-", "web-server-08"]) {
        await page.goto(`${url}/?q=${name}`);
        paths.push(`/servers/${(await ids(page))[0]}`);
    }
    await page.context().close();
}
let looked = 0;
for (const width of [320, 1280]) {
    for (const scheme of ["light", "dark"]) {
        const page = await open(width, scheme);
        for (const path of paths) {
            await page.goto(url + path);
            await page.$$eval("details", (all) => all.forEach((details) => details.setAttribute("open", "")));
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            if (wide > width) faults.push(`${path} at ${width}: ${wide} wide`);
            await page.evaluate(axe);
            const { violations } = await page.evaluate(() => axe.run());
            for (const { id, help, nodes } of violations) {
                faults.push(`${path} at ${width}, ${scheme}: ${id}: ${help}: ${nodes[0].html.slice(0, 200)}`);
            }
            if (folder) {
                const file = `${folder}/${path.replaceAll(/[^a-z0-9]+/gi, "-")}-${width}-${scheme}.png`;
                await page.screenshot({ path: file, fullPage: true });
            }
            looked += 1;
        }
        await page.context().close();
    }
}
await browser.close();
assert.deepEqual(faults, [], "faults");
console.log(`${looked} views of ${paths.length} pages: no violation, no word on the console, no request elsewhere`);
