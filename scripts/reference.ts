// Writes docs/reference from the code: `npm run docs`.
import { writeFileSync } from 'node:fs';
import { referencePages } from './reference/reference-pages.ts';

const FOLDER = new URL('../docs/reference/', import.meta.url);

for (const [name, text] of await referencePages()) writeFileSync(new URL(name, FOLDER), text);
