//! An evaluator of DynamoDB's expressions for the fake tables, limited to those that `storage` uses: comparisons,
//! `BETWEEN` and the existence of attributes, joined by `AND`.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>

use std::cmp::Ordering;

use serde_json::Value;

use super::AwsError;
use super::tables::Item;

/// An expression, with the names (`#name`) and values (`:value`) of its placeholders.
pub(crate) struct Expression<'a> {
    pub(crate) text: &'a str,
    pub(crate) names: &'a Value,
    pub(crate) values: &'a Value,
}

impl Expression<'_> {
    /// Evaluates the expression for an item; `None` stands for an item that does not exist.
    pub(crate) fn evaluate(&self, item: Option<&Item>) -> Result<bool, AwsError> {
        // The split also divides `name BETWEEN min AND max`: then the next clause is `max`.
        let mut clauses = self.text.split(" AND ").map(str::trim);
        while let Some(clause) = clauses.next() {
            let holds = match clause.split_once(" BETWEEN ") {
                Some((name, min)) => {
                    let max = clauses.next().ok_or_else(|| self.unsupported())?;
                    self.clause(&format!("{name} >= {min}"), item)? && self.clause(&format!("{name} <= {max}"), item)?
                }
                None => self.clause(clause, item)?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn clause(&self, clause: &str, item: Option<&Item>) -> Result<bool, AwsError> {
        if let Some(name) = argument(clause, "attribute_exists(") {
            return Ok(self.attribute(name, item)?.is_some());
        }
        if let Some(name) = argument(clause, "attribute_not_exists(") {
            return Ok(self.attribute(name, item)?.is_none());
        }
        let parts: Vec<_> = clause.split_whitespace().collect();
        let [left, operator, right] = parts.as_slice() else {
            return Err(self.unsupported());
        };
        let matches: fn(Ordering) -> bool = match *operator {
            "=" => Ordering::is_eq,
            "<>" => Ordering::is_ne,
            "<" => Ordering::is_lt,
            "<=" => Ordering::is_le,
            ">" => Ordering::is_gt,
            ">=" => Ordering::is_ge,
            _ => return Err(self.unsupported()),
        };
        let right = self.values.get(right).ok_or_else(|| self.unsupported())?;
        let Some(left) = self.attribute(left, item)? else {
            return Ok(false);
        };
        Ok(compare(left, right).is_some_and(matches))
    }

    /// The item's attribute with this name; a name that starts with `#` is a placeholder.
    fn attribute<'a>(&self, name: &str, item: Option<&'a Item>) -> Result<Option<&'a Value>, AwsError> {
        let name = if name.starts_with('#') {
            self.names.get(name).and_then(Value::as_str).ok_or_else(|| self.unsupported())?
        } else {
            name
        };
        Ok(item.and_then(|item| item.get(name)))
    }

    fn unsupported(&self) -> AwsError {
        super::unsupported(format!("the expression {}", self.text))
    }
}

/// The argument of a function call; `function` ends with the opening parenthesis.
fn argument<'a>(clause: &'a str, function: &str) -> Option<&'a str> {
    clause.strip_prefix(function)?.strip_suffix(')').map(str::trim)
}

/// Compares two attribute values. Values of different types, and unequal ones that are neither numbers nor strings,
/// have no order.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    let value_of = |value: &Value, kind: &str| value.get(kind).and_then(Value::as_str).map(str::to_owned);
    if let (Some(left), Some(right)) = (value_of(left, "N"), value_of(right, "N")) {
        return match (left.parse::<i128>(), right.parse::<i128>()) {
            (Ok(left), Ok(right)) => Some(left.cmp(&right)),
            _ => left.parse::<f64>().ok()?.partial_cmp(&right.parse().ok()?),
        };
    }
    match (value_of(left, "S"), value_of(right, "S")) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}
