//! What was done, and what came of it: a table, and the same as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::story::Played;
use crate::unknowns::TikTok;

/// How many findings of a row are told in full.
const TOLD: usize = 5;

/// A row: one campaign on one story.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) campaign: String,
    pub(crate) story: String,
    pub(crate) tiktok: String,
    /// How many calls the story has when all goes well.
    pub(crate) calls: usize,
    pub(crate) runs: usize,
    /// How many more were not played, since they go as under TikTok as documented.
    pub(crate) alike: usize,
    pub(crate) injected: usize,
    pub(crate) duplicates: usize,
    pub(crate) lost: usize,
    pub(crate) forbidden: usize,
    pub(crate) wrong_bytes: usize,
    pub(crate) broken_rules: usize,
    /// How often TikTok's answer to a refresh was lost with the token in it, and
    /// somebody had to consent again.
    pub(crate) reconnects: usize,
    /// Posts that ask a person to look, where TikTok would never say what it has.
    pub(crate) unsure: usize,
    /// Runs that came to no verdict, which prove nothing.
    pub(crate) void: usize,
    pub(crate) longest_recovery_s: u64,
    /// How long all of it took.
    pub(crate) took_s: u64,
    /// What was injected, and how often.
    pub(crate) troubles: BTreeMap<String, usize>,
    pub(crate) findings: Vec<String>,
}

impl Row {
    pub(crate) fn new(campaign: &str, story: &str, tiktok: TikTok, calls: usize) -> Self {
        let (campaign, story, tiktok) = (campaign.to_owned(), story.to_owned(), tiktok.name.to_owned());
        Self { campaign, story, tiktok, calls, ..Self::default() }
    }

    /// One of which nothing can be told, for this reason.
    pub(crate) fn void(name: &str, why: &anyhow::Error) -> Self {
        let mut row = Self { campaign: name.to_owned(), runs: 1, void: 1, ..Self::default() };
        row.find("the rehearsal", &format!("{why:#}"));
        row
    }

    /// Adds a run.
    pub(crate) fn add(&mut self, what: &str, played: Result<Played>) {
        self.runs += 1;
        let played = match played {
            Ok(played) => played,
            Err(error) => {
                self.void += 1;
                return self.find(what, &format!("{error:#}"));
            }
        };
        self.injected += played.fired.len();
        self.reconnects += played.reconnects;
        for trouble in &played.fired {
            *self.troubles.entry(trouble.clone()).or_default() += 1;
        }
        let verdict = &played.verdict;
        self.duplicates += verdict.duplicates;
        self.lost += verdict.lost;
        self.forbidden += verdict.forbidden;
        self.wrong_bytes += verdict.wrong_bytes;
        self.broken_rules += verdict.broken_rules;
        self.unsure += verdict.unsure;
        if !played.fired.is_empty() && verdict.unsure == 0 {
            let recovery = played.recovery.unwrap_or_default().as_secs();
            self.longest_recovery_s = self.longest_recovery_s.max(recovery);
        }
        if !verdict.is_clean() {
            self.find(what, &verdict.notes.join("\n"));
        }
    }

    fn find(&mut self, run: &str, what: &str) {
        self.findings.push(format!("{}, {}, TikTok {}, {run}:\n{what}", self.campaign, self.story, self.tiktok));
    }

    /// Whether the claim holds, and was tried at all.
    pub(crate) fn is_clean(&self) -> bool {
        let broken = self.duplicates + self.lost + self.forbidden + self.wrong_bytes + self.broken_rules;
        broken + self.void == 0 && self.injected + self.alike > 0
    }
}

/// Everything.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) alike: usize,
    pub(crate) injected: usize,
    pub(crate) duplicates: usize,
    pub(crate) lost: usize,
    pub(crate) forbidden: usize,
    pub(crate) wrong_bytes: usize,
    pub(crate) broken_rules: usize,
    pub(crate) void: usize,
    pub(crate) longest_recovery_s: u64,
    pub(crate) breakdown: Vec<Row>,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        self.alike += row.alike;
        self.injected += row.injected;
        self.duplicates += row.duplicates;
        self.lost += row.lost;
        self.forbidden += row.forbidden;
        self.wrong_bytes += row.wrong_bytes;
        self.broken_rules += row.broken_rules;
        self.void += row.void;
        self.longest_recovery_s = self.longest_recovery_s.max(row.longest_recovery_s);
        self.breakdown.push(row);
    }

    pub(crate) fn is_clean(&self) -> bool {
        !self.breakdown.is_empty() && self.breakdown.iter().all(Row::is_clean)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }
}

/// A table's line.
struct Line<'a>([&'a dyn fmt::Display; 13]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [campaign, story, tiktok, calls, runs, alike, injected, twice, lost, forbidden, wrong, rules, recovery] =
            self.0.map(ToString::to_string);
        writeln!(
            f,
            "{campaign:<11} {story:<14} {tiktok:<28} {calls:>5} {runs:>6} {alike:>6} {injected:>8} {twice:>10} {lost:>4} {forbidden:>9} {wrong:>11} \
             {rules:>12} {recovery:>10}"
        )
    }
}

/// The table's first line.
pub(crate) struct Head;

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Line(HEAD))
    }
}

const HEAD: [&dyn fmt::Display; 13] = [
    &"campaign",
    &"story",
    &"TikTok",
    &"calls",
    &"runs",
    &"alike",
    &"injected",
    &"duplicates",
    &"lost",
    &"forbidden",
    &"wrong bytes",
    &"broken rules",
    &"recovery s",
];

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: [&dyn fmt::Display; 13] = [
            &self.campaign,
            &self.story,
            &self.tiktok,
            &self.calls,
            &self.runs,
            &self.alike,
            &self.injected,
            &self.duplicates,
            &self.lost,
            &self.forbidden,
            &self.wrong_bytes,
            &self.broken_rules,
            &self.longest_recovery_s,
        ];
        write!(f, "{}", Line(numbers))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{Head}")?;
        self.breakdown.iter().try_for_each(|row| write!(f, "{row}"))?;
        let runs: usize = self.breakdown.iter().map(|row| row.runs).sum();
        let numbers: [&dyn fmt::Display; 13] = [
            &"all",
            &"",
            &"",
            &"",
            &runs,
            &self.alike,
            &self.injected,
            &self.duplicates,
            &self.lost,
            &self.forbidden,
            &self.wrong_bytes,
            &self.broken_rules,
            &self.longest_recovery_s,
        ];
        write!(f, "{}", Line(numbers))?;
        if self.void > 0 {
            writeln!(f, "{} runs came to no verdict, and prove nothing.", self.void)?;
        }
        for row in &self.breakdown {
            row.findings.iter().take(TOLD).try_for_each(|finding| writeln!(f, "\n{finding}"))?;
            if row.findings.len() > TOLD {
                writeln!(f, "… and {} more of this kind", row.findings.len() - TOLD)?;
            }
        }
        Ok(())
    }
}
