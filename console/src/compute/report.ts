/** What a job's result says, when it is an import's report. */
export interface ImportReport {
  n_files: number;
  n_documents: number;
  n_versions: number;
  n_passages: number;
  n_unchanged: number;
  n_failed: number;
  failures: { path: string; code: string; why: string }[];
}

export function importReport(result: unknown): ImportReport | null {
  if (result === null || typeof result !== 'object' || !('n_documents' in result)) return null;
  const report = result as Partial<ImportReport>;
  return {
    n_files: report.n_files ?? 0,
    n_documents: report.n_documents ?? 0,
    n_versions: report.n_versions ?? 0,
    n_passages: report.n_passages ?? 0,
    n_unchanged: report.n_unchanged ?? 0,
    n_failed: report.n_failed ?? 0,
    failures: Array.isArray(report.failures) ? report.failures : [],
  };
}
