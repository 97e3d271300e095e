//! What went over rules' lines, by quarter of an hour.

use super::{At, Result, Store, sql::Sql};
use crate::domain::{
    detection::Class,
    event::{LineCount, QUARTER_US},
    ids::{CameraId, RuleId},
    rule::Direction,
    time::Span,
};

/// The most counts of one answer: a month of six classes both ways is 34 560.
const ROWS_MAX: u32 = 50_000;

impl Store {
    /// Adds to the counts.
    ///
    /// # Errors
    /// When the database fails, or a rule or camera is not there.
    pub async fn add_line_counts(&self, counts: &[LineCount]) -> Result<()> {
        let text = "insert into line_count (rule, camera, quarter, class, direction, n) values ($1, $2, $3, $4, $5, $6) \
                    on conflict (rule, camera, quarter, class, direction) do update set n = line_count.n + excluded.n";
        let adds: Vec<_> = counts
            .iter()
            .map(|c| {
                Sql::new(text)
                    .bind(c.rule.0)
                    .bind(c.camera.0)
                    .bind(c.quarter_us.div_euclid(QUARTER_US))
                    .bind(c.class.name())
                    .bind(c.direction.name())
                    .bind(c.n)
            })
            .collect();
        self.write(move |tx| {
            Box::pin(async move {
                for add in adds {
                    tx.execute(add).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The counts of a rule's line in a span, oldest first: quarters that begin in it.
    ///
    /// # Errors
    /// When the database fails, or a stored count can no longer be read.
    pub async fn line_counts(&self, rule: RuleId, span: Span) -> Result<Vec<LineCount>> {
        let text = "select camera, quarter, class, direction, n from line_count \
                    where rule = $1 and quarter >= $2 and quarter < $3 order by quarter, camera, class, direction limit $4";
        let sql = Sql::new(text)
            .bind(rule.0)
            .bind(span.start_us.div_euclid(QUARTER_US))
            .bind(span.end_us.saturating_add(QUARTER_US - 1).div_euclid(QUARTER_US))
            .bind(ROWS_MAX);
        let rows: Vec<(i64, i64, String, String, i64)> = self.db.rows(sql).await?;
        let at = At { table: "line_count", row: rule.0 };
        let one = |(camera, quarter, class, direction, n): (i64, i64, String, String, i64)| {
            Ok(LineCount {
                rule,
                camera: CameraId(camera),
                quarter_us: quarter.saturating_mul(QUARTER_US),
                class: at.word("class", &class, Class::from_label)?,
                direction: at.word("direction", &direction, Direction::from_name)?,
                n,
            })
        };
        rows.into_iter().map(one).collect()
    }
}
