import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { isTestPath, type SourceFile, type SourceImport, type SourceTree } from './source-tree.ts';
import type { LayerRule, Violation } from './violation.ts';

/** What each package may import, by folder. `testing` is for tests and is judged by a rule of its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  http: ['core'],
  client: ['core'],
  testing: ['core'],
  registry: ['core', 'http'],
  gateway: ['core', 'http'],
  adapters: ['core', 'http'],
  dashboard: ['core', 'client'],
  server: ['core', 'http', 'client', 'registry', 'gateway', 'adapters', 'dashboard'],
};

export const direction: LayerRule = {
  name: 'packages import only the layers below them',
  check: (tree) =>
    eachImport(tree, (file, { specifier }) => {
      const target = folderOf(tree, specifier);
      if (target === undefined || target === file.package || target === 'testing') return undefined;
      return MAY_IMPORT[file.package]?.includes(target)
        ? undefined
        : `${file.package} may not import ${target}`;
    }),
};

export const testingOnlyInTests: LayerRule = {
  name: 'the testing package is imported by tests only',
  check: (tree) =>
    eachImport(tree, (file, { specifier }) =>
      folderOf(tree, specifier) === 'testing' && !file.isTest
        ? 'testing is for *.test.ts only'
        : undefined,
    ),
};

export const testFoldersOnlyInTests: LayerRule = {
  name: 'test folders are imported by tests only',
  check: (tree) =>
    eachImport(tree, (file, { specifier }) =>
      !file.isTest && specifier.startsWith('.') && isTestPath(resolve(file, specifier))
        ? `${specifier} is for tests`
        : undefined,
    ),
};

export const declaredImports: LayerRule = {
  name: 'a package imports only what its own manifest declares',
  check: (tree) =>
    eachImport(tree, (file, { specifier }) => {
      if (specifier.startsWith('.') || isBuiltin(specifier)) return undefined;
      const name = packageName(specifier);
      const manifest = tree.manifests.get(file.package);
      if (!manifest || manifest.dependencies.includes(name)) return undefined;
      const forTests = [...manifest.devDependencies, ...tree.rootDevDependencies];
      // The testing package is private and holds test suites: it runs where the root's tools are installed.
      const isTest = file.isTest || file.package === 'testing';
      return isTest && forTests.includes(name) ? undefined : `${name} is not declared`;
    }),
};

export const publishedSubpaths: LayerRule = {
  name: 'other packages are imported by a published name',
  check: (tree) =>
    eachImport(tree, (file, { specifier }) => {
      if (specifier.startsWith('.')) {
        const target = resolve(file, specifier);
        return target.startsWith(`packages/${file.package}/src/`)
          ? undefined
          : `${specifier} leaves the package`;
      }
      const folder = folderOf(tree, specifier);
      const manifest = folder === undefined ? undefined : tree.manifests.get(folder);
      if (!manifest) return undefined;
      const subpath = `.${specifier.slice(manifest.name.length)}`;
      return manifest.exports.some((entry) => matchesExport(entry, subpath))
        ? undefined
        : `${manifest.name} does not publish ${subpath}`;
    }),
};

export const ownIndex: LayerRule = {
  name: "no module imports its own package's index.ts",
  check: (tree) =>
    eachImport(tree, (file, { specifier }) => {
      const own = tree.manifests.get(file.package)?.name;
      if (specifier === own) return 'imports its own package by name';
      if (!specifier.startsWith('.')) return undefined;
      return resolve(file, specifier) === `packages/${file.package}/src/index.ts`
        ? 'imports its own index.ts'
        : undefined;
    }),
};

export const pureCore: LayerRule = {
  name: 'core knows nothing of Node',
  check: (tree) =>
    eachImport(tree, (file, { specifier }) =>
      file.package === 'core' && isBuiltin(specifier)
        ? `core may not import ${specifier}`
        : undefined,
    ),
};

export const acyclic: LayerRule = {
  name: 'modules form no cycle, types included',
  check(tree) {
    const files = new Map(tree.files.map((file) => [file.path, file]));
    const done = new Set<string>();
    const trail: string[] = [];
    const found: Violation[] = [];
    const visit = (file: SourceFile): void => {
      trail.push(file.path);
      for (const { specifier, line } of file.imports) {
        const next = specifier.startsWith('.') ? files.get(resolve(file, specifier)) : undefined;
        if (!next || done.has(next.path)) continue;
        const start = trail.indexOf(next.path);
        if (start < 0) visit(next);
        else {
          const cycle = [...trail.slice(start), next.path].map((path) => posix.basename(path));
          found.push({ path: file.path, line, what: cycle.join(' → ') });
        }
      }
      trail.pop();
      done.add(file.path);
    };
    for (const file of tree.files) if (!done.has(file.path)) visit(file);
    return found;
  },
};

function eachImport(
  tree: SourceTree,
  judge: (file: SourceFile, imported: SourceImport) => string | undefined,
): Violation[] {
  return tree.files.flatMap((file) =>
    file.imports.flatMap((imported) => {
      const what = judge(file, imported);
      return what === undefined ? [] : [{ path: file.path, line: imported.line, what }];
    }),
  );
}

function resolve(file: SourceFile, specifier: string): string {
  return posix.join(posix.dirname(file.path), specifier);
}

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function folderOf(tree: SourceTree, specifier: string): string | undefined {
  const name = packageName(specifier);
  for (const [folder, manifest] of tree.manifests) if (manifest.name === name) return folder;
  return undefined;
}

function matchesExport(entry: string, subpath: string): boolean {
  const [before = '', after] = entry.split('*');
  return after === undefined
    ? entry === subpath
    : subpath.length > before.length && subpath.startsWith(before) && subpath.endsWith(after);
}
