-- Plain statements that together have an expression in every field that can hold one (test_query_walls.py).
SELECT id + 1, -id, id::text, $1::int, lower(name) AS l, count(*) FILTER (WHERE id > 1) OVER (PARTITION BY id ORDER BY name ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) FROM customers WHERE id = 1 AND NOT (name = 'x') OR name IS NULL
SELECT string_agg(name, ',' ORDER BY id), percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM customers GROUP BY id, ROLLUP (name), (id, name) HAVING max(id) > 1 ORDER BY id LIMIT 1 OFFSET 2
SELECT DISTINCT ON (id) id FROM customers ORDER BY id, name USING <
SELECT CASE id WHEN 1 THEN 'a' ELSE name END, CASE WHEN id = 1 THEN 2 END, coalesce(id, 1), greatest(id, 2), nullif(id, 3), ARRAY[id, 1], ROW(id, name), (ARRAY[1])[id], (ARRAY[1])[id:2], name COLLATE "C" FROM customers
SELECT id IN (1, 2), id BETWEEN 1 AND 2, id = ANY (ARRAY[1]), name LIKE 'x' ESCAPE '#', name ILIKE 'x', name SIMILAR TO 'x', id IS DISTINCT FROM 1, (id > 1) IS TRUE, id <> ALL ('{1}'::int[]), grouping(id) FROM customers GROUP BY id, name
SELECT (SELECT id), EXISTS (SELECT 1 WHERE id = 1), id IN (SELECT 1), (id, 1) = (SELECT 1, 2), ARRAY(SELECT id) FROM customers
SELECT 1 FROM customers c JOIN orders o ON c.id = o.id, LATERAL (SELECT c.id) l, generate_series(1, c.id) g, ROWS FROM (generate_series(1, 2), unnest(ARRAY[c.id])) r
SELECT 1 FROM customers TABLESAMPLE system (10) REPEATABLE (1) WINDOW w AS (PARTITION BY id ORDER BY name RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
SELECT 1 FROM customers, xmltable('/a' PASSING name COLUMNS x int PATH 'b' DEFAULT id), json_table(name, '$' PASSING id AS y COLUMNS (z int PATH '$.z' DEFAULT id ON EMPTY)) j
SELECT xmlelement(name a, xmlattributes(name AS b), id), xmlserialize(document name::xml AS text), name::xml IS DOCUMENT, xmlparse(document name), xmlroot(name::xml, version '1') FROM customers
SELECT json_object('a': id), json_array(id, name), json_array(SELECT id), json_objectagg(name: id), json_arrayagg(id ORDER BY name), json_value(name, '$' PASSING id AS x DEFAULT id ON EMPTY), json_exists(name, '$'), json_query(name, '$'), name IS JSON, json(name), json_scalar(id), json_serialize(name) FROM customers
SELECT v.a, v.b FROM (VALUES (1, 'a'), (2, 'b')) v(a, b), customers UNION SELECT 1, 'a' FROM customers ORDER BY 1 LIMIT 2
WITH RECURSIVE r(n) AS (SELECT id FROM customers UNION ALL SELECT n + 1 FROM r) SEARCH DEPTH FIRST BY n SET o CYCLE n SET c TO true DEFAULT false USING p SELECT n FROM r WHERE n > 1
SELECT make_interval(days => id), (c).id, c.name, concat(VARIADIC ARRAY[name]) FROM customers c
INSERT INTO orders (id, total) VALUES (1, 2) ON CONFLICT ((id + 1)) WHERE id > 1 DO UPDATE SET total = 3 WHERE orders.id = 1 RETURNING id + 1
INSERT INTO orders (id) SELECT id FROM customers
UPDATE orders SET total = 1, (id, customer_id) = (2, 3), placed = (SELECT now()) FROM customers WHERE orders.id = 1 RETURNING orders.id
UPDATE orders SET (id, customer_id) = (SELECT id, 1 FROM customers) WHERE id = 2
DELETE FROM orders USING customers WHERE orders.id = 1 RETURNING orders.id
MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED AND c.id > 1 THEN UPDATE SET total = 1 WHEN NOT MATCHED AND c.id > 2 THEN INSERT (id) VALUES (1) RETURNING o.id
