//! DynamoDB's expressions, as far as they are used: comparisons, `BETWEEN` and the
//! existence of attributes, joined by `AND`.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>

use std::cmp::Ordering;

use serde_json::Value;

use crate::Refusal;
use crate::tables::Item;

/// An expression with what its placeholders stand for.
pub(crate) struct Expression<'a> {
    pub(crate) text: &'a str,
    pub(crate) names: &'a Value,
    pub(crate) values: &'a Value,
}

impl Expression<'_> {
    /// Tells whether it holds for an item, or for none.
    pub(crate) fn holds(&self, item: Option<&Item>) -> Result<bool, Refusal> {
        let mut clauses = self.text.split(" AND ").map(str::trim);
        while let Some(clause) = clauses.next() {
            let holds = match clause.split_once(" BETWEEN ") {
                Some((name, least)) => {
                    let most = clauses.next().ok_or_else(|| self.unknown())?;
                    self.clause(&format!("{name} >= {least}"), item)?
                        && self.clause(&format!("{name} <= {most}"), item)?
                }
                None => self.clause(clause, item)?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn clause(&self, clause: &str, item: Option<&Item>) -> Result<bool, Refusal> {
        if let Some(name) = inside(clause, "attribute_exists(") {
            return Ok(self.attribute(name, item)?.is_some());
        }
        if let Some(name) = inside(clause, "attribute_not_exists(") {
            return Ok(self.attribute(name, item)?.is_none());
        }
        let parts: Vec<_> = clause.split_whitespace().collect();
        let [left, operator, right] = parts.as_slice() else {
            return Err(self.unknown());
        };
        let wanted: fn(Ordering) -> bool = match *operator {
            "=" => Ordering::is_eq,
            "<>" => Ordering::is_ne,
            "<" => Ordering::is_lt,
            "<=" => Ordering::is_le,
            ">" => Ordering::is_gt,
            ">=" => Ordering::is_ge,
            _ => return Err(self.unknown()),
        };
        let right = self.values.get(right).ok_or_else(|| self.unknown())?;
        let Some(left) = self.attribute(left, item)? else {
            return Ok(false);
        };
        Ok(compare(left, right).is_some_and(wanted))
    }

    fn attribute<'a>(&self, name: &str, item: Option<&'a Item>) -> Result<Option<&'a Value>, Refusal> {
        let name = if name.starts_with('#') {
            self.names.get(name).and_then(Value::as_str).ok_or_else(|| self.unknown())?
        } else {
            name
        };
        Ok(item.and_then(|item| item.get(name)))
    }

    fn unknown(&self) -> Refusal {
        crate::unknown(format!("the expression {}", self.text))
    }
}

fn inside<'a>(clause: &'a str, function: &str) -> Option<&'a str> {
    clause.strip_prefix(function)?.strip_suffix(')').map(str::trim)
}

/// Orders two attributes of the same type; none where they are of different ones.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    let of = |value: &Value, kind: &str| value.get(kind).and_then(Value::as_str).map(str::to_owned);
    if let (Some(left), Some(right)) = (of(left, "N"), of(right, "N")) {
        return match (left.parse::<i128>(), right.parse::<i128>()) {
            (Ok(left), Ok(right)) => Some(left.cmp(&right)),
            _ => left.parse::<f64>().ok()?.partial_cmp(&right.parse().ok()?),
        };
    }
    match (of(left, "S"), of(right, "S")) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}
