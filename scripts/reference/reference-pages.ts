import { cliPage } from './cli-page.ts';
import { compatibilityPage } from './compatibility-page.ts';
import { configurationPage } from './configuration-page.ts';
import { httpApiPage } from './http-api-page.ts';
import { metricsPage } from './metrics-page.ts';
import { askRunningParts } from './running-parts.ts';

/** The generated pages of `docs/reference`, by file name. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const parts = await askRunningParts();
  return new Map([
    ['configuration.md', configurationPage()],
    ['metrics.md', metricsPage(parts)],
    ['cli.md', await cliPage()],
    ['http-api.md', httpApiPage(parts)],
    ['compatibility.md', compatibilityPage()],
  ]);
}
