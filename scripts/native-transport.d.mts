export function buildNativeTransport(target?: string, compiler?: string): string | undefined;
