// tools/embed.mjs DIST OUT.c OUT.d: turns the built console into one C file for src/main/assets.h. The bytes
// come in by .incbin from OUT.c.data/, which costs the compiler nothing. An empty or missing DIST gives an
// empty table: the centre then says on its pages that the console was not built.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const [dist, out, depfile] = process.argv.slice(2);
if (!dist || !out) {
  console.error('usage: node tools/embed.mjs DIST OUT.c [OUT.d]');
  process.exit(2);
}

const types = {
  html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8',
  json: 'application/json', svg: 'image/svg+xml', png: 'image/png', ico: 'image/x-icon', woff2: 'font/woff2',
  txt: 'text/plain; charset=utf-8', webmanifest: 'application/manifest+json',
};

function list(dir, below = '') {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    e.name.startsWith('.') ? []
      : e.isDirectory() ? list(join(dir, e.name), `${below}/${e.name}`) : [`${below}/${e.name}`]);
}

const data = resolve(`${out}.data`);
rmSync(data, { recursive: true, force: true });
mkdirSync(data, { recursive: true });
const paths = list(dist).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const quote = (s) => JSON.stringify(s);
let assembly = '', externs = '', rows = '';
paths.forEach((path, i) => {
  const bytes = readFileSync(join(dist, path));
  const packed = gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION });
  const suffix = path.slice(path.lastIndexOf('.') + 1);
  const parts = { raw: bytes, ...(packed.length < bytes.length * 0.9 ? { gz: packed } : {}) };
  for (const [kind, content] of Object.entries(parts)) {
    const file = join(data, `${i}.${kind}`);
    writeFileSync(file, content);
    assembly += `    ".balign 16\\nasset_${i}_${kind}:\\n.incbin ${quote(file).replaceAll('"', '\\"')}\\n"\n`;
    externs += `extern const char asset_${i}_${kind}[] __attribute__((visibility("hidden")));\n`;
  }
  const gz = parts.gz ? `{asset_${i}_gz, ${packed.length}}` : '{NULL, 0}';
  const etag = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const immutable = /^\/assets\/.*-[\w-]{8,}\.\w+$/.test(path);
  rows += `    {${quote(path)}, ${quote(types[suffix] ?? 'application/octet-stream')}, ${quote(etag)}, ` +
    `{asset_${i}_raw, ${bytes.length}}, ${gz}, ${immutable}},\n`;
});
const empty = '    {"", "", "", {NULL, 0}, {NULL, 0}, false},\n';
writeFileSync(out, `/* Made by tools/embed.mjs. */\n#include "main/assets.h"\n\n` +
  (assembly ? `__asm__(".section .rodata\\n"\n${assembly}    ".text\\n");\n\n${externs}\n` : '') +
  `const struct asset assets[] = {\n${rows || empty}};\nconst size_t n_assets = ${paths.length};\n`);
if (depfile) writeFileSync(depfile, `${out}: ${paths.map((p) => join(dist, p).replaceAll(' ', '\\ ')).join(' ')}\n`);
