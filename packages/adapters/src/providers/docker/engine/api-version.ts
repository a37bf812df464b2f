/** The versions whose answers are known here: from Docker 19.03 on; above the highest, answers may look different. */
export const KNOWN_API = { lowest: '1.40', highest: '1.52' } as const;

/** The highest version that both speak. Throws when there is none. */
export function negotiateApiVersion(engine: {
  readonly lowest: string;
  readonly highest: string;
}): string {
  const chosen = isBelow(engine.highest, KNOWN_API.highest) ? engine.highest : KNOWN_API.highest;
  if (isBelow(chosen, KNOWN_API.lowest) || isBelow(chosen, engine.lowest)) {
    throw new RangeError(
      `the engine speaks API ${engine.lowest} to ${engine.highest}, and ${KNOWN_API.lowest} to ${KNOWN_API.highest} are known here`,
    );
  }
  return chosen;
}

function isBelow(a: string, b: string): boolean {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor === bMajor ? aMinor < bMinor : aMajor < bMajor;
}
