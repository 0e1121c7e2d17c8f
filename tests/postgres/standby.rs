//! A standby of a cluster, whose primary acknowledges no commit that the standby does not have.

use std::ops::Deref;

use crate::cluster::Cluster;
use crate::eventually;

/// A server that follows a primary, and answers reads.
pub struct Standby {
    cluster: Cluster,
    name: String,
}

impl Standby {
    /// Copies the primary and follows it, under a name. From then on the primary waits for this standby
    /// with every commit.
    #[track_caller]
    pub fn start(primary: &Cluster, name: &str) -> Self {
        let source = format!(
            "host={} port={} user=postgres application_name={name}",
            primary.directory().display(),
            primary.port(),
        );
        let fill = |programs: &crate::programs::Programs, directory: &std::path::Path| {
            let arguments = [
                "--pgdata=data",
                "--write-recovery-conf",
                "--wal-method=stream",
                "--checkpoint=fast",
                "--no-sync",
                "--dbname",
                &source,
            ];
            programs.run("pg_basebackup", directory, arguments);
        };
        let mut cluster = Cluster::around(primary.programs().clone(), fill);
        cluster.launch_at_free_port();
        // The primary may have had a standby when it was copied. This one has none, once promoted.
        cluster.set("synchronous_standby_names", "");
        primary.set("synchronous_standby_names", &format!("\"{name}\""));
        Standby {
            cluster,
            name: name.to_owned(),
        }
    }

    /// Waits until the primary waits for this standby. What is committed from then on is on both.
    #[track_caller]
    pub fn wait_until_synchronous(&self, primary: &Cluster) {
        eventually("the standby is synchronous", || {
            let query = "SELECT 1 FROM pg_catalog.pg_stat_replication \
                 WHERE application_name = $1 AND state = 'streaming' AND sync_state IN ('sync', 'quorum')";
            let row = primary.client().query_opt(query, &[&self.name]);
            row.unwrap().map(|_| ())
        });
    }

    /// Makes a primary of it, which accepts writes when this returns. The old one should be dead.
    #[track_caller]
    pub fn promote(self) -> Cluster {
        let promoted = self
            .cluster
            .client()
            .query_one("SELECT pg_catalog.pg_promote(true, 60)", &[]);
        assert!(promoted.unwrap().get::<_, bool>(0), "not within a minute");
        self.cluster
    }
}

impl Deref for Standby {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}
