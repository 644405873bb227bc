/* psqlODBC through unixODBC with sealed columns: direct, prepared with bound parameters, binary ones, arrays of parameters,
   catalog functions, a transaction with an error in it.
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

/* bytea as a binary parameter and as a binary column. */
static void binary(void)
{
    unsigned char photo[] = "\0canaryphoto\xff", got[64];
    SQLLEN size = sizeof photo - 1, length = 0;
    SQLHSTMT statement;
    SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement);
    SQLBindParameter(statement, 1, SQL_PARAM_INPUT, SQL_C_BINARY, SQL_LONGVARBINARY, size, 0, photo, 0, &size);
    if (!SQL_SUCCEEDED(SQLPrepare(statement, (SQLCHAR *) "UPDATE people SET photo = ? WHERE id = 1", SQL_NTS))
        || !SQL_SUCCEEDED(SQLExecute(statement)))
        fail(SQL_HANDLE_STMT, statement, "a binary parameter");
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
    SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement);
    if (!SQL_SUCCEEDED(SQLExecDirect(statement, (SQLCHAR *) "SELECT photo FROM people WHERE id = 1", SQL_NTS))
        || !SQL_SUCCEEDED(SQLFetch(statement))
        || !SQL_SUCCEEDED(SQLGetData(statement, 1, SQL_C_BINARY, got, sizeof got, &length))
        || length != size || memcmp(got, photo, size) != 0)
        fail(SQL_HANDLE_STMT, statement, "a binary column");
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

/* Ten rows by one SQLExecute. */
static void batch(void)
{
    enum { ROWS = 10 };
    SQLINTEGER id[ROWS];
    char email[ROWS][64];
    SQLULEN processed = 0;
    SQLHSTMT statement;
    for (int n = 0; n < ROWS; n++) {
        id[n] = 200 + n;
        sprintf(email[n], "batch%d.canary@mail.example", 200 + n);
    }
    SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement);
    SQLSetStmtAttr(statement, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER) ROWS, 0);
    SQLSetStmtAttr(statement, SQL_ATTR_PARAMS_PROCESSED_PTR, &processed, 0);
    SQLBindParameter(statement, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, id, 0, NULL);
    SQLLEN lengths[ROWS];
    for (int n = 0; n < ROWS; n++)
        lengths[n] = SQL_NTS;
    SQLBindParameter(statement, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 120, 0, email, sizeof email[0], lengths);
    if (!SQL_SUCCEEDED(SQLPrepare(statement, (SQLCHAR *) "INSERT INTO people (id, email) VALUES (?, ?)", SQL_NTS))
        || !SQL_SUCCEEDED(SQLExecute(statement)) || processed != ROWS)
        fail(SQL_HANDLE_STMT, statement, "an array of parameters");
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
    run("SELECT id FROM people WHERE email = 'batch209.canary@mail.example'", 0, NULL, "209\n");
}

/* The types of the application, as the catalog has them for a program that asks. */
static void catalog(void)
{
    static const char *expected = "name varchar 80\nemail varchar 120\nborn date 10\nbalance numeric 12\n";
    char got[1024] = "", name[64], type[64];
    SQLINTEGER size;
    SQLLEN length;
    SQLHSTMT statement;
    SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement);
    if (!SQL_SUCCEEDED(SQLColumns(statement, NULL, 0, (SQLCHAR *) "public", SQL_NTS, (SQLCHAR *) "people", SQL_NTS, NULL, 0)))
        fail(SQL_HANDLE_STMT, statement, "SQLColumns");
    for (int row = 0; SQL_SUCCEEDED(SQLFetch(statement)); row++) {
        SQLGetData(statement, 4, SQL_C_CHAR, name, sizeof name, &length);
        SQLGetData(statement, 6, SQL_C_CHAR, type, sizeof type, &length);
        SQLGetData(statement, 7, SQL_C_SLONG, &size, sizeof size, &length);
        if (row >= 1 && row <= 4)
            sprintf(got + strlen(got), "%s %s %d\n", name, type, (int) size);
    }
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
    if (strcmp(got, expected) != 0) {
        fprintf(stderr, "SQLColumns: expected %s, got %s\n", expected, got);
        exit(1);
    }
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
    binary();
    batch();
    catalog();
    SQLSetConnectAttr(connection, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER) SQL_AUTOCOMMIT_OFF, 0);
    run("INSERT INTO people (id, email) VALUES (3, ?)", 1, &ada[2], "23505");
    SQLEndTran(SQL_HANDLE_DBC, connection, SQL_ROLLBACK);
    run("SELECT id FROM people WHERE notes LIKE ?", 1, (const char *[]) {"%at the canary soir%"}, "0A000");
    SQLEndTran(SQL_HANDLE_DBC, connection, SQL_ROLLBACK);
    run("INSERT INTO people (id, email) VALUES (3, ?)", 1, (const char *[]) {"third.canary@mail.example"}, NULL);
    SQLEndTran(SQL_HANDLE_DBC, connection, SQL_COMMIT);
    SQLSetConnectAttr(connection, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER) SQL_AUTOCOMMIT_ON, 0);
    run("DELETE FROM people WHERE email = ?", 1, (const char *[]) {"third.canary@mail.example"}, NULL);
    run("SELECT count(*) FROM people", 0, NULL, "32\n");
    SQLCHAR version[64];
    SQLGetInfo(connection, SQL_DRIVER_VER, version, sizeof version, NULL);
    printf("client: psqlODBC %s\n", version);
    SQLDisconnect(connection);
    return 0;
}
