#!/usr/bin/env node
// Old syntax on purpose: an older Node must be able to read this far and say so in one line.
var found = process.versions.node.split('.').map(Number);
var major = found[0];
var minor = found[1];
if (!((major === 22 && minor >= 20) || (major === 24 && minor >= 11) || major >= 26)) {
  console.error(
    'portolan: needs Node 22.20, 24.11, 26 or newer; this is ' +
      process.version +
      '. Inside the repository use `npx portolan`.',
  );
  process.exit(78);
}
// A reload asked for before the configuration is read has nothing to do but must not end the process.
if (process.argv[2] === 'serve') process.on('SIGHUP', () => {});
void import('../dist/cli/main.js');
