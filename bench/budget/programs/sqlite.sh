#!/bin/sh
# SPDX-License-Identifier: MIT
# An in-memory database: inserts, an index, joins, deletes.
exec sqlite3 :memory: '
CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
  WHERE i < 600000)
INSERT INTO t SELECT i, i * 7919 % 1000003, "text " || (i * 31 % 65521) FROM n;
CREATE INDEX ta ON t(a);
CREATE INDEX tb ON t(b);
SELECT count(*), sum(a) FROM t WHERE b LIKE "text 1%";
SELECT count(*) FROM t x JOIN t y ON x.a = y.id WHERE x.id % 5 = 0;
DELETE FROM t WHERE a % 3 = 0;
SELECT count(*), sum(id), max(b) FROM t;'
