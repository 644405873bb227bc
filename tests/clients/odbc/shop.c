/* psqlODBC through unixODBC with sealed columns: direct, prepared with bound parameters, catalog functions.
   The argument is a connection string. */

#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SQLHDBC connection;

static void fail(SQLSMALLINT kind, SQLHANDLE handle, const char *what)
{
    SQLCHAR state[6] = "", message[512] = "";
    SQLGetDiagRec(kind, handle, 1, state, NULL, message, sizeof message, NULL);
    fprintf(stderr, "%s: %s %s\n", what, state, message);
    exit(1);
}

/* Runs `sql` with text parameters; `expected` is the rows, columns joined by | and rows by newlines, or an SQLSTATE. */
static void run(const char *sql, int count, const char **values, const char *expected)
{
    SQLHSTMT statement;
    SQLCHAR got[4096] = "", cell[512], state[6];
    SQLSMALLINT columns;
    SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement);
    for (int i = 0; i < count; i++)
        SQLBindParameter(statement, i + 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 200, 0, (SQLPOINTER) values[i], 0, NULL);
    SQLRETURN done = count ? SQLPrepare(statement, (SQLCHAR *) sql, SQL_NTS) : SQL_SUCCESS;
    if (SQL_SUCCEEDED(done))
        done = count ? SQLExecute(statement) : SQLExecDirect(statement, (SQLCHAR *) sql, SQL_NTS);
    if (!SQL_SUCCEEDED(done)) {
        SQLGetDiagRec(SQL_HANDLE_STMT, statement, 1, state, NULL, cell, sizeof cell, NULL);
        if (expected == NULL || strcmp((char *) state, expected) != 0)
            fail(SQL_HANDLE_STMT, statement, sql);
        SQLFreeHandle(SQL_HANDLE_STMT, statement);
        return;
    }
    SQLNumResultCols(statement, &columns);
    while (columns && SQL_SUCCEEDED(SQLFetch(statement)))
        for (SQLSMALLINT column = 1; column <= columns; column++) {
            SQLLEN length;
            SQLGetData(statement, column, SQL_C_CHAR, cell, sizeof cell, &length);
            strcat((char *) got, length == SQL_NULL_DATA ? "NULL" : (char *) cell);
            strcat((char *) got, column < columns ? "|" : "\n");
        }
    if (expected != NULL && strcmp((char *) got, expected) != 0) {
        fprintf(stderr, "%s: expected %s, got %s\n", sql, expected, got);
        exit(1);
    }
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

int main(int count, char **arguments)
{
    SQLHENV environment;
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &environment);
    SQLSetEnvAttr(environment, SQL_ATTR_ODBC_VERSION, (SQLPOINTER) SQL_OV_ODBC3, 0);
    SQLAllocHandle(SQL_HANDLE_DBC, environment, &connection);
    if (count != 2 || !SQL_SUCCEEDED(SQLDriverConnect(connection, NULL, (SQLCHAR *) arguments[1], SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT)))
        fail(SQL_HANDLE_DBC, connection, "connect");
    run("CREATE TABLE people (id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, "
        "balance numeric(12,2), visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, "
        "city text)", 0, NULL, NULL);
    run("CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))",
        0, NULL, NULL);
    const char *ada[] = {"1", "Ada Canary-Lovelace", "ada.canary@mail.example", "1815-12-10", "98765.43", "4711",
        "2024-05-06 07:08:09.123456+00", "c0ffee00-ca9a-4ee1-8000-0123456789ab", "{\"hobby\": \"canary breeding\"}"};
    run("INSERT INTO people (id, name, email, born, balance, visits, seen, token, profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        9, ada, NULL);
    run("INSERT INTO people (id, name, email, born) VALUES (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09')",
        0, NULL, NULL);
    run("SELECT id, name, email, born, balance, visits, token, profile FROM people WHERE email = ?", 1, &ada[2],
        "1|Ada Canary-Lovelace|ada.canary@mail.example|1815-12-10|98765.43|4711|C0FFEE00-CA9A-4EE1-8000-0123456789AB|" /* the driver writes them so */
        "{\"hobby\": \"canary breeding\"}\n");
    run("SELECT id FROM people WHERE born BETWEEN ? AND ? ORDER BY born DESC", 2, (const char *[]) {"1815-12-10", "1950-01-01"}, "2\n1\n");
    run("UPDATE people SET balance = ? WHERE email = ?", 2, (const char *[]) {"31337.25", ada[2]}, NULL);
    run("SELECT balance FROM people WHERE email = 'ada.canary@mail.example'", 0, NULL, "31337.25\n");
    run("INSERT INTO orders (email, total) VALUES (?, ?)", 2, (const char *[]) {ada[2], "20.25"}, NULL);
    run("SELECT name, total FROM people JOIN orders USING (email) WHERE total > ?", 1, (const char *[]) {"15"},
        "Ada Canary-Lovelace|20.25\n");
    for (int n = 100; n < 120; n++) {
        char id[8], email[64], rows[16];
        sprintf(id, "%d", n);
        sprintf(email, "batch%d.canary@mail.example", n);
        sprintf(rows, "%d\n", n);
        run("INSERT INTO people (id, email) VALUES (?, ?)", 2, (const char *[]) {id, email}, NULL);
        run("SELECT id FROM people WHERE email = ?", 1, (const char *[]) {email}, rows);
    }
    run("INSERT INTO people (id, email) VALUES (3, ?)", 1, &ada[2], "23505");
    run("SELECT id FROM people WHERE notes LIKE ?", 1, (const char *[]) {"%at the canary soir%"}, "0A000");
    run("SELECT count(*) FROM people", 0, NULL, "22\n");
    SQLCHAR version[64];
    SQLGetInfo(connection, SQL_DRIVER_VER, version, sizeof version, NULL);
    printf("client: psqlODBC %s\n", version);
    SQLDisconnect(connection);
    return 0;
}
