/** First value of a parameter in a query (with its `?`), percent-decoded; undefined when it is not there. */
export function queryParameter(query: string, name: string): string | undefined {
  for (let at = 1; at < query.length; ) {
    const end = endOf(query, at);
    const equals = query.indexOf('=', at);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (decoded(query.slice(at, nameEnd)) === name) {
      return decoded(query.slice(Math.min(end, nameEnd + 1), end));
    }
    at = end + 1;
  }
  return undefined;
}

function endOf(query: string, from: number): number {
  const end = query.indexOf('&', from);
  return end < 0 ? query.length : end;
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Not UTF-8: compared as it stands.
    return text;
  }
}
