--! theme Applications
--# Django
--! same
SELECT "customers"."id", "customers"."email", "customers"."full_name" FROM "customers" WHERE "customers"."email" = 'ann.okonkwo1@quvex.example' ORDER BY "customers"."id" ASC LIMIT 21;
--! same
SELECT COUNT(*) AS "__count" FROM "customers" WHERE ("customers"."status" = 'vip' AND NOT ("customers"."email" IS NULL));
--! same
SELECT 1 AS "a" FROM "customers" WHERE "customers"."email" = 'ann.okonkwo1@quvex.example' LIMIT 1;
--! same
SELECT "customers"."status", COUNT("customers"."id") AS "n" FROM "customers" GROUP BY "customers"."status" ORDER BY 2 DESC, "n" ASC;
--! same
SELECT "customers"."id", COALESCE("customers"."balance", 0) AS "b" FROM "customers" WHERE "customers"."full_name"::text LIKE 'Ann%' ORDER BY "customers"."full_name" ASC;
--! same
SELECT DISTINCT "customers"."status" FROM "customers" INNER JOIN "orders" ON ("customers"."id" = "orders"."customer_id") WHERE "orders"."total" >= '10.00'::numeric(12, 2);
--! same
SELECT "customers"."id" FROM "customers" WHERE "customers"."email" IN (SELECT U0."owner_email" FROM "cards" U0 WHERE U0."owner_email" IS NOT NULL);
--! same
SELECT "customers"."id", EXISTS(SELECT 1 AS "a" FROM "cards" U0 WHERE (U0."owner_email" = ("customers"."email")) LIMIT 1) AS "has_card" FROM "customers";
--! same
SELECT "customers"."id", CASE WHEN "customers"."balance" > '50.00'::numeric(12, 2) THEN 'rich' WHEN "customers"."email" IS NULL THEN 'unknown' ELSE 'normal' END AS "kind" FROM "customers";
--! same
INSERT INTO "customers" ("email", "full_name", "phone", "born", "balance", "status", "points") VALUES ('dj@quvex.example', 'Dj Okonkwo', NULL, '1990-01-01'::date, '1.50'::numeric(12, 2), 'new', 0) RETURNING "customers"."id", "customers"."email";
--! same
INSERT INTO "people" ("id", "email", "nick") VALUES (901, 'x@quvex.example', 'x'), (1, 'y@quvex.example', 'y') ON CONFLICT("id") DO UPDATE SET "email" = EXCLUDED."email", "nick" = EXCLUDED."nick";
--! same
UPDATE "customers" SET "email" = CASE WHEN ("customers"."id" = 1) THEN 'n1@quvex.example' WHEN ("customers"."id" = 2) THEN 'n2@quvex.example' ELSE NULL END::text WHERE "customers"."id" IN (1, 2);
--! same
UPDATE "customers" SET "phone" = (SELECT U0."phone" FROM "employees" U0 WHERE U0."id" = 1) WHERE "customers"."id" = 1 RETURNING phone;
--! same
SELECT "customers"."id" FROM "customers" WHERE "customers"."born" BETWEEN '1980-01-01'::date AND '1989-12-31'::date FOR UPDATE OF "customers" SKIP LOCKED;
--! same
SELECT MAX("orders"."total") AS "m", MIN("orders"."placed") AS "p" FROM "orders";
--! same
SELECT "col1" FROM (SELECT "customers"."status" AS "col1" FROM "customers" GROUP BY 1 HAVING COUNT(*) > 1) subquery;
--! same
SELECT ROW_NUMBER() OVER (PARTITION BY "customers"."status" ORDER BY "customers"."balance" DESC NULLS LAST, id) AS "rn", id FROM "customers";
--# Rails
--! same
SELECT "customers".* FROM "customers" WHERE "customers"."email" = 'ann.okonkwo1@quvex.example' LIMIT 1;
--! same
SELECT 1 AS one FROM "customers" WHERE "customers"."email" = 'ann.okonkwo1@quvex.example' AND "customers"."id" != 1 LIMIT 1;
--! same
SELECT COUNT(DISTINCT "customers"."status") FROM "customers" LEFT OUTER JOIN "orders" ON "orders"."customer_id" = "customers"."id";
--! same
SELECT "customers"."id" AS t0_r0, "customers"."email" AS t0_r1, "orders"."id" AS t1_r0, "orders"."total" AS t1_r1 FROM "customers" LEFT OUTER JOIN "orders" ON "orders"."customer_id" = "customers"."id" WHERE "customers"."id" IN (1, 2, 3);
--! same
SELECT "customers".* FROM "customers" WHERE ("customers"."email" = 'a' OR "customers"."email" IS NULL) ORDER BY "customers"."id" ASC LIMIT 10 OFFSET 1;
--! same
INSERT INTO "people" ("id", "email", "nick") VALUES (902, 'r@quvex.example', NULL), (903, NULL, 'r') ON CONFLICT DO NOTHING RETURNING "id";
--! same
UPDATE "customers" SET "email" = 'rails@quvex.example', "phone" = NULL WHERE "customers"."id" = 5;
--! same
SELECT "customers"."status" AS customers_status, COUNT(*) AS count_all FROM "customers" GROUP BY "customers"."status";
--! same
SELECT "customers"."email", "customers"."born" FROM "customers" WHERE "customers"."born" > '1985-01-01' AND NOT ("customers"."status" = 'vip');
--# Hibernate and JPA
--! same
select c1_0.id,c1_0.email,c1_0.full_name,o1_0.id,o1_0.total from customers c1_0 left join orders o1_0 on c1_0.id=o1_0.customer_id where c1_0.email='ann.okonkwo1@quvex.example';
--! same
select c1_0.id,c1_0.email from customers c1_0 where c1_0.status in ('vip','new') order by c1_0.id offset 2 rows fetch first 5 rows only;
--! same
select count(c1_0.id) from customers c1_0 where c1_0.full_name like 'Ann%' escape '';
--! same
select c1_0.id from customers c1_0 where c1_0.full_name like 'Ann%' escape '\';
--! same
update customers c1_0 set email='h@quvex.example',balance=5.25 where c1_0.id=3;
--! same
select case when exists(select 1 from cards k1_0 where k1_0.owner_email=c1_0.email) then true else false end from customers c1_0;
--! same
select c1_0.id from customers c1_0 where (c1_0.email,c1_0.status)=('ann.okonkwo1@quvex.example','vip') or coalesce(c1_0.status,'none')='none';
--! same
select e1_0.id,e1_0.name,e1_0.salary,e1_0.active from employees e1_0 where e1_0.active=true and e1_0.salary>=1000 order by e1_0.name;
--# Prisma
--! same
SELECT "public"."customers"."id", "public"."customers"."email" FROM "public"."customers" WHERE ("public"."customers"."email" = 'ann.okonkwo1@quvex.example' AND 1=1) LIMIT 1 OFFSET 0;
--! same
SELECT "public"."customers"."id", "public"."customers"."status" FROM "public"."customers" WHERE "public"."customers"."id" IN (1,2) ORDER BY "public"."customers"."id" ASC OFFSET 0;
--! same
SELECT COUNT(*) FROM (SELECT "public"."customers"."id" FROM "public"."customers" WHERE "public"."customers"."born" < '2000-01-01' OFFSET 0) AS "sub";
--! same
SELECT COUNT(*) AS "_count._all", MAX("public"."orders"."total") AS "_max.total", "public"."orders"."coupon" FROM "public"."orders" WHERE 1=1 GROUP BY "public"."orders"."coupon" OFFSET 0;
--! same
INSERT INTO "public"."people" ("id","email","nick") VALUES (904,'p@quvex.example','p') ON CONFLICT ("id") DO UPDATE SET "email" = 'p2@quvex.example' WHERE ("public"."people"."id" = 904 AND 1=1) RETURNING "public"."people"."id", "public"."people"."email";
--! same
UPDATE "public"."customers" SET "email" = 'pr@quvex.example' WHERE ("public"."customers"."id" IN (1) AND 1=1) RETURNING "public"."customers"."id", "public"."customers"."email";
--! same
SELECT "t0"."id", COALESCE("aggr_selection_0_orders"."_aggr_count_orders", 0) AS "n", "t0"."email" FROM "public"."customers" AS "t0" LEFT JOIN (SELECT "public"."orders"."customer_id", COUNT(*) AS "_aggr_count_orders" FROM "public"."orders" WHERE 1=1 GROUP BY "public"."orders"."customer_id") AS "aggr_selection_0_orders" ON ("t0"."id" = "aggr_selection_0_orders"."customer_id") WHERE "t0"."email" IS NOT NULL;
--# SQLAlchemy
--! same
SELECT customers.id AS customers_id, customers.email AS customers_email FROM customers WHERE customers.email = 'ann.okonkwo1@quvex.example'::VARCHAR;
--! same
SELECT customers.id FROM customers WHERE customers.full_name LIKE 'Ann' || '%' OR (customers.full_name LIKE '/%x' || '%' ESCAPE '/');
--! same
--$ ? %
--$ ? O
SELECT customers.id FROM customers WHERE customers.full_name LIKE 'Ann' || $2 || '' || $1 ESCAPE '/';
--! same
SELECT anon_1.status, anon_1.n FROM (SELECT customers.status AS status, count(*) AS n FROM customers GROUP BY customers.status) AS anon_1 JOIN customers ON customers.status = anon_1.status WHERE customers.id < 4;
--! same
INSERT INTO people (id, email, nick) SELECT p0::INTEGER, p1::VARCHAR, p2::VARCHAR FROM (VALUES (905, 's@quvex.example', 's', 0), (906, NULL, 't', 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING people.id, people.id AS id__1;
--! same
SELECT customers.id, cards_1.number FROM customers LEFT OUTER JOIN cards AS cards_1 ON customers.email = cards_1.owner_email WHERE customers.email IS NOT DISTINCT FROM 'ann.okonkwo1@quvex.example';
--! same
DELETE FROM notes WHERE notes.customer_id IN (SELECT customers.id FROM customers WHERE customers.email = 'ann.okonkwo1@quvex.example') RETURNING notes.id, notes.body;
--! same
WITH RECURSIVE chain(id, manager_id, name) AS (SELECT employees.id AS id, employees.manager_id AS manager_id, employees.name AS name FROM employees WHERE employees.manager_id IS NULL UNION ALL SELECT e.id, e.manager_id, e.name FROM employees AS e, chain WHERE e.manager_id = chain.id) SELECT chain.id, chain.name FROM chain ORDER BY chain.name;
--# Metabase
--! same
SELECT "public"."customers"."id" AS "id", "public"."customers"."email" AS "email" FROM "public"."customers" LIMIT 1048575;
--! same
SELECT "source"."status" AS "status", COUNT(*) AS "count" FROM (SELECT "public"."customers"."status" AS "status" FROM "public"."customers" WHERE "public"."customers"."born" >= DATE '1970-01-01') AS "source" GROUP BY "source"."status" ORDER BY "count" DESC, COUNT(DISTINCT "source"."status") ASC;
--! same
SELECT "public"."orders"."coupon" AS "coupon", MAX("public"."orders"."total") AS "max" FROM "public"."orders" LEFT JOIN "public"."customers" AS "Customers" ON "public"."orders"."customer_id" = "Customers"."id" WHERE "Customers"."status" = 'vip' GROUP BY "public"."orders"."coupon";
--! refused truncation in the database
SELECT DATE_TRUNC('month', "public"."orders"."placed") AS "placed", COUNT(*) AS "count" FROM "public"."orders" GROUP BY DATE_TRUNC('month', "public"."orders"."placed");
--! refused sum
SELECT SUM("public"."orders"."total") AS "sum" FROM "public"."orders";
--! refused folding
SELECT COUNT(*) AS "count" FROM "public"."customers" WHERE LOWER("public"."customers"."email") LIKE '%quvex%';
--! same
SELECT COUNT(*) AS "count" FROM "public"."customers" WHERE ("public"."customers"."balance" > 10 AND "public"."customers"."balance" <= 500.5) OR "public"."customers"."balance" IS NULL;
--! same
SELECT "public"."customers"."status", COUNT(CASE WHEN "public"."customers"."balance" > 10 THEN 1 END) AS "over", CAST(COUNT(*) AS float) / 2 AS half FROM "public"."customers" GROUP BY "public"."customers"."status";
