import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { maskSource } from './mask-source.ts';

/** A package of the workspace as its manifest tells it. */
export interface PackageManifest {
  readonly name: string;
  /** Keys of `exports`: `.`, `./contracts/*`. */
  readonly exports: readonly string[];
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

export interface SourceFile {
  /** Folder under `packages/`. */
  readonly package: string;
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and without the inside of strings. */
  readonly code: string;
  readonly imports: readonly SourceImport[];
  /** A `*.test.ts`, or part of a `test-*` folder that only those import. */
  readonly isTest: boolean;
}

export interface SourceImport {
  readonly specifier: string;
  readonly line: number;
}

/** What the layer rules judge. */
export interface SourceTree {
  /** By folder under `packages/`. */
  readonly manifests: ReadonlyMap<string, PackageManifest>;
  readonly files: readonly SourceFile[];
  /** What the root manifest gives to every test. */
  readonly rootDevDependencies: readonly string[];
}

/** Every module of every package below `root`. */
export function readSourceTree(root: string): SourceTree {
  const packages = readdirSync(join(root, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const files = packages.flatMap((folder) =>
    readdirSync(join(root, 'packages', folder, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => {
        const path = posix.join('packages', folder, 'src', name.replaceAll('\\', '/'));
        return toSourceFile(path, readFileSync(join(root, path), 'utf8'));
      }),
  );
  const manifestOf = (folder: string) => readManifest(join(root, 'packages', folder));
  return {
    manifests: new Map(packages.map((folder) => [folder, manifestOf(folder)])),
    files,
    rootDevDependencies: readManifest(root).devDependencies,
  };
}

/** One module from its path and text. */
export function toSourceFile(path: string, text: string): SourceFile {
  const code = maskSource(text);
  return {
    package: path.split('/')[1] ?? '',
    path,
    text,
    code,
    imports: findImports(text, code),
    isTest: isTestPath(path),
  };
}

/** A `*.test.ts`, or part of a `test-*` folder. */
export function isTestPath(path: string): boolean {
  return /\.test\.ts$|\/test-[^/]+\//.test(path);
}

const IMPORT_FORMS = [
  /\b(?:import|export)\b[^'"`;()=]*?\bfrom\s*['"]( *)['"]/dg,
  /\bimport\s*['"]( *)['"]/dg,
  /\bimport\s*\(\s*['"`]( *)['"`]/dg,
];

function findImports(text: string, code: string): SourceImport[] {
  return IMPORT_FORMS.flatMap((form) =>
    [...code.matchAll(form)].map((match) => {
      const [from, to] = match.indices?.[1] ?? [0, 0];
      return { specifier: text.slice(from, to), line: lineAt(text, match.index) };
    }),
  );
}

/** The number of the line that holds `offset`. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function readManifest(folder: string): PackageManifest {
  const raw = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly exports?: object;
    readonly dependencies?: object;
    readonly devDependencies?: object;
  };
  return {
    name: raw.name,
    exports: Object.keys(raw.exports ?? {}),
    dependencies: Object.keys(raw.dependencies ?? {}),
    devDependencies: Object.keys(raw.devDependencies ?? {}),
  };
}
