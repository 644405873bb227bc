--! theme Chinook: an application's lookups

--# Customers
--! same
SELECT * FROM customer WHERE customer_id = 5;
--! same
SELECT customer_id, first_name, last_name FROM customer WHERE email = 'luisg@embraer.com.br';
--! same
SELECT * FROM customer WHERE last_name = 'Köhler';
--! same
SELECT first_name, last_name, company FROM customer WHERE company IS NOT NULL;
--! same
SELECT customer_id FROM customer WHERE phone = '+49 0711 2842222';
--! same
SELECT first_name || ' ' || country AS x FROM employee;
--! same
SELECT email FROM customer WHERE customer_id IN (1, 2, 3, 59);
--! same
SELECT count(*) FROM customer WHERE city = 'Paris';
--! same
SELECT customer_id, city FROM customer WHERE city IN ('Paris', 'Berlin', 'London');
--! same
SELECT customer_id, city FROM customer WHERE city NOT IN ('Paris', 'Berlin');
--! same
SELECT customer_id FROM customer WHERE postal_code = '70174' AND country = 'Germany';
--! same
SELECT customer_id, fax FROM customer WHERE fax IS NULL;
--! same
SELECT customer_id, company FROM customer WHERE company = 'Google Inc.';
--! same
SELECT last_name, email FROM customer ORDER BY customer_id LIMIT 10 OFFSET 20;
--! same
SELECT country, count(*) AS customers FROM customer GROUP BY country ORDER BY customers DESC, country;
--! same
SELECT city, count(*) FROM customer GROUP BY city;
--! same
SELECT city, count(*) FROM customer GROUP BY city HAVING count(*) > 1;
--! same
SELECT DISTINCT city FROM customer;
--! same
SELECT DISTINCT country FROM customer ORDER BY country;
--! same
SELECT count(DISTINCT city), count(company), count(*) FROM customer;
--! same
SELECT c.last_name, e.last_name AS agent FROM customer c JOIN employee e ON e.employee_id = c.support_rep_id;
--! same
SELECT c.email, e.email AS agent FROM customer c LEFT JOIN employee e ON e.employee_id = c.support_rep_id AND e.title = 'Sales Support Agent';
--! same
SELECT coalesce(company, 'private') AS company, count(*) FROM customer GROUP BY 1;
--! same
SELECT customer_id, CASE WHEN company IS NULL THEN 'person' ELSE 'company' END AS kind FROM customer;
--! same
SELECT a.customer_id, b.customer_id FROM customer a JOIN customer b ON a.city = b.city AND a.customer_id < b.customer_id;
--! same
SELECT EXISTS (SELECT 1 FROM customer WHERE email = 'nobody@nowhere.invalid');
--! same
--$ ? luisg@embraer.com.br
SELECT customer_id, first_name FROM customer WHERE email = $1;
--! same
--$ ? {Paris,Berlin}
SELECT customer_id FROM customer WHERE city = ANY ($1);
--! same
--$ int4 5
SELECT first_name, last_name, address, city FROM customer WHERE customer_id = $1;
--! same
--$ varchar Köhler
SELECT customer_id FROM customer WHERE last_name = $1;
--! refused pattern
SELECT customer_id FROM customer WHERE last_name ILIKE 'k%';
--! refused pattern
SELECT customer_id FROM customer WHERE email LIKE '%@gmail.com';
--! refused order
SELECT customer_id, last_name FROM customer ORDER BY last_name, customer_id;
--! refused function
SELECT lower(email) FROM customer;
--! refused concatenation
SELECT first_name || ' ' || last_name AS name FROM customer;

--# Employees
--! same
SELECT * FROM employee WHERE title = 'IT Staff';
--! same
SELECT employee_id, birth_date FROM employee ORDER BY birth_date;
--! same
SELECT employee_id, hire_date FROM employee WHERE hire_date >= '2003-01-01' AND hire_date < '2004-01-01';
--! same
SELECT employee_id FROM employee WHERE hire_date BETWEEN '2002-04-01' AND '2002-08-14' ORDER BY hire_date DESC, employee_id;
--! same
SELECT min(hire_date) AS first, max(hire_date) AS last FROM employee;
--! same
SELECT title, count(*) FROM employee GROUP BY title;
--! same
SELECT title, min(birth_date) FROM employee GROUP BY title;
--! same
SELECT e.employee_id, m.email AS boss FROM employee e LEFT JOIN employee m ON m.employee_id = e.reports_to;
--! same
WITH RECURSIVE chart AS (SELECT employee_id, title, 0 AS depth FROM employee WHERE reports_to IS NULL UNION ALL SELECT e.employee_id, e.title, c.depth + 1 FROM employee e JOIN chart c ON e.reports_to = c.employee_id) SELECT * FROM chart;
--! same
SELECT employee_id, rank() OVER (ORDER BY hire_date) FROM employee;
--! same
SELECT employee_id, lag(hire_date) OVER (ORDER BY hire_date, employee_id) AS before FROM employee;
--! same
SELECT a.employee_id, b.employee_id FROM employee a JOIN employee b ON a.phone = b.phone AND a.employee_id < b.employee_id;
--! same
SELECT last_name, email FROM employee ORDER BY last_name;
--! same
SELECT e.employee_id, count(c.customer_id) FROM employee e LEFT JOIN customer c ON c.support_rep_id = e.employee_id GROUP BY e.employee_id;
--! same
SELECT e.employee_id, c.customer_id FROM employee e JOIN customer c ON c.city = e.city;
--! same
SELECT upper(last_name), email FROM employee WHERE lower(first_name) = 'jane';
--! same
SELECT employee_id FROM employee WHERE birth_date < TIMESTAMP '1965-01-01' OR title = 'General Manager';
--! same
--$ ? 1965-01-01
SELECT employee_id FROM employee WHERE birth_date > $1 ORDER BY birth_date;
--! same
--$ timestamp 2003-10-17 00:00:00
SELECT employee_id FROM employee WHERE hire_date = $1;
--! refused function
SELECT employee_id, extract(year FROM hire_date) FROM employee;
--! refused function
SELECT employee_id, age(birth_date) FROM employee;

--# The catalogue of music
--! same
SELECT a.name, count(*) FROM artist a JOIN album b USING (artist_id) GROUP BY a.name ORDER BY count(*) DESC, a.name LIMIT 5;
--! same
SELECT name FROM track WHERE name LIKE '%Love%' ORDER BY track_id;
--! same
SELECT g.name, sum(t.milliseconds) / 60000 AS minutes FROM track t JOIN genre g USING (genre_id) GROUP BY g.name ORDER BY minutes DESC;
--! same
SELECT upper(title) FROM album WHERE artist_id = 1 ORDER BY title;
--! same
SELECT unit_price, count(*) FROM track GROUP BY unit_price ORDER BY unit_price;
--! same
SELECT playlist.name, count(*) FROM playlist LEFT JOIN playlist_track USING (playlist_id) GROUP BY playlist_id, playlist.name ORDER BY playlist_id;
--! same
SELECT name FROM media_type UNION SELECT name FROM genre ORDER BY name;
--! same
SELECT t.name, t.composer FROM track t WHERE t.composer ~* 'young' ORDER BY t.track_id;
--! same
SELECT avg(milliseconds)::int FROM track;
--! same
SELECT row_to_json(g) FROM genre g WHERE genre_id < 3 ORDER BY genre_id;

--# Storing
--! same
INSERT INTO customer (customer_id, first_name, last_name, email) VALUES (900, 'Neu', 'Kunde', 'neu@kunde.example') RETURNING *;
--! same
INSERT INTO customer (customer_id, first_name, last_name, email, city) SELECT 900, first_name, last_name, email, city FROM customer WHERE customer_id = 1 RETURNING customer_id, email, city;
--! same
UPDATE customer SET email = 'neu@kunde.example', phone = NULL WHERE customer_id = 1 RETURNING email, phone;
--! same
UPDATE customer SET city = 'Berlin' WHERE city = 'Paris' RETURNING customer_id;
--! same
UPDATE employee SET title = 'CTO' WHERE title = 'IT Manager' RETURNING employee_id, title;
--! same
UPDATE invoice SET total = 5.5 WHERE invoice_id = 1 RETURNING total;
--! same
UPDATE invoice_line SET quantity = 2 WHERE unit_price > 1 AND invoice_id < 50 RETURNING invoice_line_id, quantity;
--! same
DELETE FROM invoice_line WHERE invoice_id = 1 RETURNING *;
--! same
DELETE FROM invoice_line USING invoice i WHERE i.invoice_id = invoice_line.invoice_id AND i.total > 20 RETURNING invoice_line_id;
--! same
INSERT INTO customer (customer_id, first_name, last_name, email) VALUES (1, 'x', 'y', 'z') ON CONFLICT (customer_id) DO UPDATE SET email = excluded.email RETURNING first_name, email;
--! same
INSERT INTO invoice (invoice_id, customer_id, invoice_date, billing_city, total) SELECT 9000 + customer_id, customer_id, now(), city, 1.99 FROM customer WHERE country = 'Brazil' RETURNING billing_city, total;
--! same
UPDATE customer c SET city = i.billing_city FROM invoice i WHERE i.customer_id = c.customer_id AND i.invoice_id = 4 RETURNING c.city;
--! same
UPDATE invoice SET billing_address = (SELECT i.billing_address FROM invoice i WHERE i.invoice_id = 2) WHERE invoice_id = 1 RETURNING billing_address;
--! same
MERGE INTO customer c USING employee e ON e.email = c.email WHEN MATCHED THEN UPDATE SET city = e.city WHEN NOT MATCHED THEN DO NOTHING;
--! same
--$ ? 900
--$ ? Neu
--$ ? Kunde
--$ ? neu@kunde.example
INSERT INTO customer (customer_id, first_name, last_name, email) VALUES ($1, $2, $3, $4) RETURNING first_name, last_name, email;
--! same
--$ ? 3.33
--$ ? 7
UPDATE invoice SET total = $1 WHERE invoice_id = $2 RETURNING total;
--! error 23502
INSERT INTO customer (customer_id, first_name) VALUES (900, 'x');
--! error 23505
INSERT INTO customer (customer_id, first_name, last_name, email) VALUES (1, 'x', 'y', 'z');
--! error 22001
UPDATE customer SET postal_code = '12345678901' WHERE customer_id = 1;
--! error 22003
UPDATE invoice SET total = 1e9 WHERE invoice_id = 1;
--! error 23503
DELETE FROM employee WHERE employee_id = 3;
--! refused arithmetic
UPDATE invoice SET total = total * 1.1 WHERE invoice_id = 1;
--! refused arithmetic
UPDATE invoice_line SET quantity = quantity + 1 WHERE invoice_line_id = 1;
