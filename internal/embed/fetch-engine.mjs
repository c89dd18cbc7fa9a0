#!/usr/bin/env node
// Fetches the embedded ClickHouse engine, libchdb.so, once, into the user's cache. Node 18 or later, nothing else but npm.
//
//   node internal/embed/fetch-engine.mjs [--quiet] [--verify] [--tarball FILE]
//
// Where it comes from: the npm package below, at the pinned version, through `npm pack`: the user's own npm configuration decides
// registry, proxy and credentials. No script of the package is run. Where it goes: see destination(). The tarball is held against
// the pinned sha512 and the library against the pinned sha256 before anybody can load it.
//
// When the version changes: VERSION, INTEGRITY (`npm view PACKAGE@VERSION dist.integrity`), the sizes, LIBRARY_SHA256, and
// EngineVersion in chengine/library.go. The test in chengine holds the two files against each other.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, rmSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { createGunzip } from 'node:zlib';

const PACKAGE = '@chdb/lib-linux-x64-gnu';
const VERSION = '26.7.3-stable.1';
const INTEGRITY = 'sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==';
const TARBALL_BYTES = 177_817_999;
const LIBRARY = 'package/libchdb.so';
const LIBRARY_SHA256 = '36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5';
const LIBRARY_BYTES = 566_330_096;
// The tarball and the library lie side by side while unpacking (744 MB); npm's own copy is gone by then.
const NEEDED_BYTES = 800e6;

const OUTSIDE = 'Or configure an outside ClickHouse in place of the embedded one.';

// Failure is what the user is told, without a stack.
class Failure extends Error {}

// destination follows chengine.DefaultLibrary in library.go.
function destination(env = process.env) {
  const cache = env.LUSHAO_CACHE || env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'lushao', 'engine', VERSION, 'libchdb.so');
}

function parseArguments(argv) {
  const options = { quiet: false, verify: false, tarball: '' };
  for (let i = 0; i < argv.length; i++) {
    switch (argv[i]) {
      case '--quiet': options.quiet = true; break;
      case '--verify': options.verify = true; break;
      case '--tarball':
        options.tarball = argv[++i] ?? '';
        if (!options.tarball) usage('--tarball needs a file name');
        break;
      case '--help': case '-h': usage();
      // falls through: usage never returns
      default: usage(`unknown argument ${argv[i]}`);
    }
  }
  return options;
}

function usage(problem) {
  const text = `usage: fetch-engine.mjs [--quiet] [--verify] [--tarball FILE]
  --quiet         say nothing unless something fails
  --verify        check the sha256 of a library that is already there
  --tarball FILE  take the package from FILE (made by \`npm pack ${PACKAGE}@${VERSION}\` on a machine with a network)\n`;
  (problem ? process.stderr : process.stdout).write(problem ? `${problem}\n${text}` : text);
  process.exit(problem ? 2 : 0);
}

const megabytes = (n) => Math.round(n / 1e6);

// Progress writes one updating line on a terminal, a line every 10 % elsewhere (logs of a build), nothing when quiet.
class Progress {
  constructor(label, total, quiet) {
    Object.assign(this, { label, total, quiet, done: 0, told: -1, live: !quiet && Boolean(process.stderr.isTTY) });
  }

  at(bytes) {
    this.done = Math.max(this.done, Math.min(bytes, this.total)); // what npm keeps on disk is moved about: never go back
    const percent = Math.floor((this.done / this.total) * 100);
    const step = this.live ? percent : Math.floor(percent / 10) * 10;
    if (this.quiet || step === this.told) return;
    this.told = step;
    const text = `  ${this.label}: ${megabytes(this.done)} of ${megabytes(this.total)} MB (${percent} %)`;
    process.stderr.write(this.live ? `\r\x1b[2K${text}` : `${text}\n`);
  }

  end() {
    if (this.live && this.told >= 0) process.stderr.write('\n');
  }
}

function checkPlatform() {
  let reason = '';
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    reason = `this machine is ${process.platform}/${process.arch}`;
  } else {
    process.report.excludeNetwork = true; // else the report resolves host names, which can take seconds
    if (!process.report.getReport().header.glibcVersionRuntime) reason = 'this machine has a libc other than glibc (musl?)';
  }
  if (reason) throw new Failure(`The embedded ClickHouse engine exists for linux/x64 with glibc only; ${reason}.\n${OUTSIDE}`);
}

async function checkDisk(folder) {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < NEEDED_BYTES) {
    throw new Failure(`${folder} has ${megabytes(bavail * bsize)} MB free; ${megabytes(NEEDED_BYTES)} MB are needed while unpacking ` +
      `(${megabytes(LIBRARY_BYTES)} MB afterwards).\nFree some space, or set LUSHAO_CACHE to a folder on a larger disk.`);
  }
}

// A working folder is named after the machine and the process, so that what a kill -9 left behind can be told from a run that goes on.
const workPrefix = `.fetch-${hostname().replace(/[^A-Za-z0-9]/g, '_')}-`;

async function sweep(folder) {
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(workPrefix) ? Number(name.slice(workPrefix.length).split('-')[0]) : 0;
    if (!pid || pid === process.pid) continue;
    try {
      process.kill(pid, 0);
    } catch (e) {
      if (e.code === 'ESRCH') await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

async function bytesUnder(folder) {
  let sum = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    sum += entry.isDirectory() ? await bytesUnder(path) : (await stat(path).catch(() => ({ size: 0 }))).size;
  }
  return sum;
}

let child; // the running npm, for the signal handlers

// download runs `npm pack` with a cache of its own inside work: that is where the progress is read from, and nothing is left in the
// user's cache of a package that is needed once.
async function download(work, quiet) {
  const cache = join(work, 'npm');
  child = spawn('npm', ['pack', `${PACKAGE}@${VERSION}`, '--pack-destination', work, '--cache', cache, '--ignore-scripts',
    '--loglevel', 'error', '--no-update-notifier', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let complaint = '';
  child.stdout.on('data', (b) => { out += b; });
  child.stderr.on('data', (b) => { complaint += b; });
  const progress = new Progress('downloading', TARBALL_BYTES, quiet);
  const timer = setInterval(async () => progress.at(await bytesUnder(cache)), 250);
  let code;
  try {
    [code] = await once(child, 'close');
  } catch (e) {
    throw new Failure(e.code === 'ENOENT'
      ? `npm was not found. Install Node.js with npm, or fetch the package elsewhere and pass --tarball FILE.\n${OUTSIDE}`
      : `npm could not be started: ${e.message}`);
  } finally {
    clearInterval(timer);
    child = undefined;
  }
  const file = join(work, `${PACKAGE.replace('@', '').replace('/', '-')}-${VERSION}.tgz`);
  if (code !== 0 || !(await stat(file).catch(() => null))) {
    progress.end();
    const why = (complaint.trim() || out.trim() || `exit status ${code}`).split('\n').map((l) => `  ${l}`).slice(0, 12).join('\n');
    throw new Failure(`npm could not fetch ${PACKAGE}@${VERSION}:\n${why}\n` +
      'Check the npm configuration (`npm config get registry`, `proxy`, `https-proxy`, `cafile`) and the network, then run this again.\n' +
      `Without a network: run \`npm pack ${PACKAGE}@${VERSION}\` elsewhere and pass --tarball FILE.\n${OUTSIDE}`);
  }
  progress.at(TARBALL_BYTES);
  progress.end();
  await rm(cache, { recursive: true, force: true });
  return file;
}

async function checkIntegrity(file) {
  const hash = createHash('sha512');
  for await (const block of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(block);
  const got = `sha512-${hash.digest('base64')}`;
  if (got !== INTEGRITY) {
    throw new Failure(`${file} is not the package that was pinned:\n  expected ${INTEGRITY}\n  got      ${got}\n` +
      'The registry or a proxy on the way delivered something else, or the file is cut. Nothing was installed.');
  }
}

// unpack writes the member LIBRARY of a gzipped tar to target and returns its sha256. A reader of its own, 40 lines: minimal systems
// have no tar, and only one member is wanted. The integrity of the whole was checked before.
async function unpack(file, target, quiet) {
  const source = createReadStream(file, { highWaterMark: 1 << 20 });
  const tar = source.pipe(createGunzip({ chunkSize: 1 << 20 }));
  source.on('error', (e) => tar.destroy(e));
  const progress = new Progress('unpacking', LIBRARY_BYTES, quiet);
  const hash = createHash('sha256');
  let out;
  let header = Buffer.alloc(0);
  let left = 0; // bytes of the member that are still to come, then its padding to 512
  let padding = 0;
  let written = 0;
  try {
    for await (let block of tar) {
      while (block.length > 0) {
        if (left > 0) {
          const part = block.subarray(0, left);
          if (out) {
            hash.update(part);
            if (!out.write(part)) await once(out, 'drain');
            progress.at(written += part.length);
          }
          left -= part.length;
          block = block.subarray(part.length);
          if (left === 0 && out) {
            out.end();
            await once(out, 'finish');
            progress.end();
            return hash.digest('hex');
          }
        } else if (padding > 0) {
          const skip = Math.min(padding, block.length);
          padding -= skip;
          block = block.subarray(skip);
        } else {
          const need = 512 - header.length;
          header = Buffer.concat([header, block.subarray(0, need)]);
          block = block.subarray(need);
          if (header.length < 512) continue;
          const name = header.toString('utf8', 0, 100).replace(/\0.*$/s, '');
          left = parseInt(header.toString('latin1', 124, 136), 8) || 0;
          padding = (512 - (left % 512)) % 512;
          if (name === LIBRARY) {
            out = createWriteStream(target, { flags: 'wx', mode: 0o644, highWaterMark: 4 << 20 });
            await once(out, 'open');
          }
          header = Buffer.alloc(0);
        }
      }
    }
  } finally {
    tar.destroy();
    source.destroy();
    out?.destroy();
  }
  throw new Failure(`${file} holds no ${LIBRARY}`);
}

async function sha256(file) {
  const hash = createHash('sha256');
  for await (const block of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(block);
  return hash.digest('hex');
}

async function main() {
  const options = parseArguments(process.argv.slice(2));
  const say = (text) => { if (!options.quiet) process.stderr.write(`${text}\n`); };
  const target = destination();
  const there = statSync(target, { throwIfNoEntry: false });
  if (there?.isFile() && there.size === LIBRARY_BYTES) {
    if (!options.verify || (await sha256(target)) === LIBRARY_SHA256) return say(`ClickHouse engine ${VERSION} is there: ${target}`);
    say(`${target} is damaged; fetching it again`);
  }
  checkPlatform();
  const folder = dirname(target);
  await mkdir(folder, { recursive: true });
  await sweep(folder);
  await checkDisk(folder);
  const work = await mkdtemp(join(folder, `${workPrefix}${process.pid}-${randomBytes(2).toString('hex')}`));
  let interrupted = '';
  for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]]) {
    process.once(signal, async () => {
      interrupted = signal;
      if (child) { // it must be gone before its folder is, or it would put files into it again
        const npm = child;
        npm.kill('SIGKILL');
        if (npm.exitCode === null && npm.signalCode === null) await once(npm, 'exit').catch(() => {});
      }
      rmSync(work, { recursive: true, force: true, maxRetries: 3 });
      process.stderr.write('\ninterrupted; nothing was installed\n');
      process.exit(128 + number);
    });
  }
  try {
    let tarball = options.tarball;
    if (tarball) {
      if (!(await stat(tarball).catch(() => null))?.isFile()) throw new Failure(`--tarball ${tarball}: no such file`);
      say(`Unpacking the embedded ClickHouse engine ${VERSION} from ${tarball} to ${target}`);
    } else {
      say(`Fetching the embedded ClickHouse engine (${PACKAGE}@${VERSION}, ${megabytes(TARBALL_BYTES)} MB, once) to\n  ${target}`);
      tarball = await download(work, options.quiet);
    }
    await checkIntegrity(tarball);
    const fresh = join(work, 'libchdb.so');
    const got = await unpack(tarball, fresh, options.quiet);
    if (got !== LIBRARY_SHA256) throw new Failure(`${LIBRARY} has sha256 ${got}, expected ${LIBRARY_SHA256}. Nothing was installed.`);
    const handle = await open(fresh, 'r+'); // on disk before it has its name: a power cut must not leave a library of zeros
    await handle.sync();
    await handle.close();
    await rename(fresh, target);
    say(`ClickHouse engine ${VERSION} is ready: ${target}`);
  } catch (e) {
    if (interrupted) await new Promise(() => {}); // the signal handler ends the process
    throw e;
  } finally {
    if (!interrupted) await rm(work, { recursive: true, force: true, maxRetries: 3 });
  }
}

main().catch((e) => {
  const known = e instanceof Failure || ['ENOSPC', 'EACCES', 'EROFS', 'EPERM', 'ENOTDIR'].includes(e.code);
  process.stderr.write(`fetch-engine: ${known ? e.message : e.stack}\n`);
  process.exit(1);
});
