//! The report of the campaigns: a table on the terminal, and the same as JSON. tests/README.md explains the columns.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::checker::Violations;
use crate::story::RunResult;
use crate::unknowns::TikTokVariant;

/// The number of findings of a row that are printed under the table. The JSON has all.
const MAX_FINDINGS_SHOWN: usize = 5;

/// The numbers of a row or of the whole report.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Totals {
    /// Runs that were not played, because they are equivalent to a run under documented TikTok
    /// ([`enumeration`](crate::enumeration)).
    pub(crate) equivalent: usize,
    /// Faults that took effect.
    pub(crate) injected: usize,
    #[serde(flatten)]
    pub(crate) violations: Violations,
    /// Runs without a result, which prove nothing.
    pub(crate) void: usize,
    pub(crate) longest_recovery_s: u64,
}

/// A row: one campaign on one story under one variant of TikTok.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) campaign: String,
    pub(crate) story: String,
    pub(crate) tiktok: String,
    /// The number of the story's calls without faults.
    pub(crate) calls: usize,
    pub(crate) runs: usize,
    #[serde(flatten)]
    pub(crate) totals: Totals,
    /// How often a creator had to connect an account again, because the response to a token refresh was lost or the
    /// authorization had ended.
    pub(crate) reconnects: usize,
    /// Posts that failed with an unknown outcome that is permitted (`CheckResult::unsure`).
    pub(crate) unsure: usize,
    /// How long all runs took in real time.
    pub(crate) duration_s: u64,
    /// The faults that took effect, with their number.
    pub(crate) faults: BTreeMap<String, usize>,
    /// Descriptions of the violations and of the runs without a result.
    pub(crate) findings: Vec<String>,
}

impl Row {
    pub(crate) fn new(campaign: &str, story: &str, tiktok: TikTokVariant, calls: usize) -> Self {
        let (campaign, story, tiktok) = (campaign.to_owned(), story.to_owned(), tiktok.name.to_owned());
        Self { campaign, story, tiktok, calls, ..Self::default() }
    }

    /// The row of a campaign that could not be played.
    pub(crate) fn void(name: &str, error: anyhow::Error) -> Self {
        let mut row = Self { campaign: name.to_owned(), ..Self::default() };
        row.add("the story without faults", Err(error));
        row
    }

    /// Adds the result of a run.
    pub(crate) fn add(&mut self, run: &str, result: Result<RunResult>) {
        self.runs += 1;
        let RunResult { injected, reconnects, check, recovery, .. } = match result {
            Ok(result) => result,
            Err(error) => {
                self.totals.void += 1;
                return self.add_finding(run, &format!("{error:#}"));
            }
        };
        self.totals.injected += injected.len();
        self.totals.violations += check.violations;
        self.reconnects += reconnects;
        self.unsure += check.unsure;
        if !injected.is_empty() && check.unsure == 0 {
            let recovery_s = recovery.unwrap_or_default().as_secs();
            self.totals.longest_recovery_s = self.totals.longest_recovery_s.max(recovery_s);
        }
        for fault in injected {
            *self.faults.entry(fault).or_default() += 1;
        }
        if !check.is_clean() {
            self.add_finding(run, &check.notes.join("\n"));
        }
    }

    fn add_finding(&mut self, run: &str, finding: &str) {
        self.findings.push(format!("{}, {}, TikTok {}, {run}:\n{finding}", self.campaign, self.story, self.tiktok));
    }

    /// Whether there is no violation, every run has a result, and at least one fault took effect or one run is
    /// equivalent. A row without faults would prove nothing.
    pub(crate) fn is_clean(&self) -> bool {
        let Totals { equivalent, injected, violations, void, .. } = &self.totals;
        violations.is_empty() && *void == 0 && injected + equivalent > 0
    }
}

/// All rows, with their totals.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    totals: Totals,
    breakdown: Vec<Row>,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        let (own, added) = (&mut self.totals, &row.totals);
        own.equivalent += added.equivalent;
        own.injected += added.injected;
        own.violations += added.violations;
        own.void += added.void;
        own.longest_recovery_s = own.longest_recovery_s.max(added.longest_recovery_s);
        self.breakdown.push(row);
    }

    pub(crate) fn is_clean(&self) -> bool {
        !self.breakdown.is_empty() && self.breakdown.iter().all(Row::is_clean)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }
}

/// The columns of the table with their widths. The first three are aligned to the left.
const COLUMNS: [(&str, usize); 13] = [
    ("campaign", 18),
    ("story", 15),
    ("TikTok", 28),
    ("calls", 6),
    ("runs", 6),
    ("equivalent", 10),
    ("injected", 8),
    ("duplicates", 10),
    ("lost", 4),
    ("forbidden", 9),
    ("wrong bytes", 11),
    ("broken rules", 12),
    ("recovery s", 10),
];

/// The head of the table.
pub(crate) struct Head;

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &COLUMNS.map(|(name, _)| name.to_owned()))
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, cells: &[String; 13]) -> fmt::Result {
    for (index, (cell, (_, width))) in cells.iter().zip(COLUMNS).enumerate() {
        match index {
            0..3 => write!(f, "{cell:<width$} ")?,
            _ => write!(f, "{cell:>width$} ")?,
        }
    }
    writeln!(f)
}

fn write_row(f: &mut fmt::Formatter<'_>, labels: [&str; 4], runs: usize, totals: &Totals) -> fmt::Result {
    let [campaign, story, tiktok, calls] = labels.map(str::to_owned);
    let [duplicates, lost, forbidden, wrong_bytes, broken_rules] = totals.violations.counts().map(|it| it.to_string());
    let [runs, equivalent, injected] = [runs, totals.equivalent, totals.injected].map(|it| it.to_string());
    let recovery = totals.longest_recovery_s.to_string();
    write_line(
        f,
        &[
            campaign,
            story,
            tiktok,
            calls,
            runs,
            equivalent,
            injected,
            duplicates,
            lost,
            forbidden,
            wrong_bytes,
            broken_rules,
            recovery,
        ],
    )
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.calls.to_string();
        write_row(f, [&self.campaign, &self.story, &self.tiktok, &calls], self.runs, &self.totals)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{Head}")?;
        self.breakdown.iter().try_for_each(|row| write!(f, "{row}"))?;
        write_row(f, ["all", "", "", ""], self.breakdown.iter().map(|row| row.runs).sum(), &self.totals)?;
        if self.totals.void > 0 {
            writeln!(f, "{} runs have no result, and prove nothing.", self.totals.void)?;
        }
        for row in &self.breakdown {
            row.findings.iter().take(MAX_FINDINGS_SHOWN).try_for_each(|finding| writeln!(f, "\n{finding}"))?;
            if row.findings.len() > MAX_FINDINGS_SHOWN {
                writeln!(f, "… and {} more findings in this row", row.findings.len() - MAX_FINDINGS_SHOWN)?;
            }
        }
        Ok(())
    }
}
