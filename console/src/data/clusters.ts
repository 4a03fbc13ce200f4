/** The shape of /api/datasets/{name}/clusters. */
/** Where the search for near duplicates puts its mark. */
export const FIELD = 'duplicates';

export interface Member {
  id: string;
  keep: boolean;
  text: string;
}

export interface Cluster {
  cluster: string;
  size: number;
  members: Member[];
}

export interface Clusters {
  field: string;
  version: number;
  n_records: number;
  n_clusters: number;
  n_members: number;
  sizes: { from: number; to: number; n: number }[];
  clusters: Cluster[];
}

/** Who stays by the mark: the cluster is called after it, also when it is not among those shown. */
export function survivorOf(cluster: Cluster): string {
  return cluster.members.find((one) => one.keep)?.id ?? cluster.cluster;
}
