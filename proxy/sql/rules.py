"""Which statement class is handled how: the one table that says it, for every class of the grammar.

A class without a handler is forwarded: it holds names, options and settings, but no expression over rows and no
value of a column. The classes that never stand alone are refused by `inner`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pglast import ast

from proxy.errors import Refused
from proxy.sql import ddl_alter, ddl_code, ddl_create, ddl_derived, ddl_index, utility
from proxy.sql.copy_plan import copy
from proxy.sql.plan import Effect, Plan
from proxy.sql.task import DDL, DDL_AND_PATH, Task


@dataclass(frozen=True, slots=True)
class Rule:
    """`tag` is for logs; `effects` are those that the class always has."""

    tag: str
    handler: Callable[[Task, Any], Plan] | None = None
    effects: Effect = Effect.NONE


def inner(task: Task, node: ast.Node) -> NoReturn:
    """A class that the grammar produces inside others only."""
    raise Refused(f"{type(node).__name__} is not a statement of its own", hint="send a whole statement")


RULES: Final[dict[type[ast.Node], Rule]] = {
    # Queries and changes.
    ast.SelectStmt: Rule("SELECT", utility.query),
    ast.InsertStmt: Rule("INSERT", utility.change),
    ast.UpdateStmt: Rule("UPDATE", utility.change),
    ast.DeleteStmt: Rule("DELETE", utility.change),
    ast.MergeStmt: Rule("MERGE", utility.change),
    ast.CopyStmt: Rule("COPY", copy),
    # Statements about statements, and about the session.
    ast.ExplainStmt: Rule("EXPLAIN", utility.explain),
    ast.PrepareStmt: Rule("PREPARE", utility.prepare),
    ast.ExecuteStmt: Rule("EXECUTE", utility.execute),
    ast.DeallocateStmt: Rule("DEALLOCATE", utility.deallocate),
    ast.DeclareCursorStmt: Rule("DECLARE CURSOR", utility.declare),
    ast.FetchStmt: Rule("FETCH", utility.fetch),
    ast.ClosePortalStmt: Rule("CLOSE CURSOR", utility.close),
    ast.CallStmt: Rule("CALL", utility.call, DDL_AND_PATH),
    ast.DoStmt: Rule("DO", utility.do, DDL_AND_PATH),
    ast.TransactionStmt: Rule("TRANSACTION", utility.transaction, Effect.TRANSACTION),
    ast.VariableSetStmt: Rule("SET", utility.variable_set),
    ast.VariableShowStmt: Rule("SHOW"),
    ast.DiscardStmt: Rule("DISCARD", utility.discard),
    ast.ConstraintsSetStmt: Rule("SET CONSTRAINTS"),
    ast.ListenStmt: Rule("LISTEN"),
    ast.UnlistenStmt: Rule("UNLISTEN"),
    ast.NotifyStmt: Rule("NOTIFY"),
    ast.LockStmt: Rule("LOCK TABLE"),
    ast.LoadStmt: Rule("LOAD"),
    ast.CheckPointStmt: Rule("CHECKPOINT"),
    # Tables, and what hangs on them.
    ast.CreateStmt: Rule("CREATE TABLE", ddl_create.create_table, DDL),
    ast.CreateForeignTableStmt: Rule("CREATE FOREIGN TABLE", ddl_create.create_foreign_table, DDL),
    ast.CreateSchemaStmt: Rule("CREATE SCHEMA", ddl_create.create_schema, DDL_AND_PATH),
    ast.AlterTableStmt: Rule("ALTER TABLE", ddl_alter.alter_table, DDL),
    ast.RenameStmt: Rule("RENAME", ddl_alter.rename, DDL_AND_PATH),
    ast.AlterObjectSchemaStmt: Rule("SET SCHEMA", ddl_alter.set_schema, DDL),
    ast.CreateTableAsStmt: Rule("CREATE TABLE AS", ddl_derived.create_table_as, DDL_AND_PATH),
    ast.ViewStmt: Rule("CREATE VIEW", ddl_derived.create_view, DDL_AND_PATH),
    ast.RefreshMatViewStmt: Rule("REFRESH MATERIALIZED VIEW"),
    ast.IndexStmt: Rule("CREATE INDEX", ddl_index.create_index, DDL),
    ast.CreateStatsStmt: Rule("CREATE STATISTICS", ddl_index.create_statistics, DDL),
    ast.AlterStatsStmt: Rule("ALTER STATISTICS", None, DDL),
    ast.DropStmt: Rule("DROP", None, DDL_AND_PATH),
    ast.TruncateStmt: Rule("TRUNCATE TABLE"),
    ast.VacuumStmt: Rule("VACUUM"),
    ast.ClusterStmt: Rule("CLUSTER"),
    ast.ReindexStmt: Rule("REINDEX"),
    ast.CommentStmt: Rule("COMMENT"),
    ast.SecLabelStmt: Rule("SECURITY LABEL"),
    ast.CreateSeqStmt: Rule("CREATE SEQUENCE", None, DDL_AND_PATH),
    ast.AlterSeqStmt: Rule("ALTER SEQUENCE", None, DDL),
    ast.AlterTableMoveAllStmt: Rule("ALTER TABLE ALL"),
    # Code that the server runs later.
    ast.RuleStmt: Rule("CREATE RULE", ddl_code.create_rule, DDL),
    ast.CreateTrigStmt: Rule("CREATE TRIGGER", ddl_code.create_trigger, DDL),
    ast.CreateFunctionStmt: Rule("CREATE FUNCTION", ddl_code.create_function, DDL),
    ast.CreatePolicyStmt: Rule("CREATE POLICY", ddl_code.row_policy, DDL),
    ast.AlterPolicyStmt: Rule("ALTER POLICY", ddl_code.row_policy, DDL),
    ast.CreatePublicationStmt: Rule("CREATE PUBLICATION", ddl_code.publication),
    ast.AlterPublicationStmt: Rule("ALTER PUBLICATION", ddl_code.publication),
    ast.AlterFunctionStmt: Rule("ALTER FUNCTION", None, DDL),
    ast.CreateEventTrigStmt: Rule("CREATE EVENT TRIGGER", None, DDL),
    ast.AlterEventTrigStmt: Rule("ALTER EVENT TRIGGER", None, DDL),
    ast.AlterObjectDependsStmt: Rule("ALTER DEPENDS", None, DDL),
    # Types, functions and operators by name; their defaults and checks see values of their own type only.
    ast.CompositeTypeStmt: Rule("CREATE TYPE", ddl_code.create_type, DDL),
    ast.CreateEnumStmt: Rule("CREATE TYPE", None, DDL),
    ast.AlterEnumStmt: Rule("ALTER TYPE", None, DDL),
    ast.CreateRangeStmt: Rule("CREATE TYPE", None, DDL),
    ast.AlterTypeStmt: Rule("ALTER TYPE", None, DDL),
    ast.CreateDomainStmt: Rule("CREATE DOMAIN", ddl_code.create_type, DDL),
    ast.AlterDomainStmt: Rule("ALTER DOMAIN", None, DDL),
    ast.DefineStmt: Rule("CREATE", None, DDL),
    ast.CreateCastStmt: Rule("CREATE CAST", None, DDL),
    ast.CreateTransformStmt: Rule("CREATE TRANSFORM", None, DDL),
    ast.CreateConversionStmt: Rule("CREATE CONVERSION", None, DDL),
    ast.CreateOpClassStmt: Rule("CREATE OPERATOR CLASS", None, DDL),
    ast.CreateOpFamilyStmt: Rule("CREATE OPERATOR FAMILY", None, DDL),
    ast.AlterOpFamilyStmt: Rule("ALTER OPERATOR FAMILY", None, DDL),
    ast.AlterOperatorStmt: Rule("ALTER OPERATOR", None, DDL),
    ast.AlterCollationStmt: Rule("ALTER COLLATION", None, DDL),
    ast.AlterTSConfigurationStmt: Rule("ALTER TEXT SEARCH CONFIGURATION", None, DDL),
    ast.AlterTSDictionaryStmt: Rule("ALTER TEXT SEARCH DICTIONARY", None, DDL),
    ast.CreatePLangStmt: Rule("CREATE LANGUAGE", None, DDL),
    ast.CreateAmStmt: Rule("CREATE ACCESS METHOD", None, DDL),
    # Extensions, foreign data, replication: their members may be tables.
    ast.CreateExtensionStmt: Rule("CREATE EXTENSION", None, DDL_AND_PATH),
    ast.AlterExtensionStmt: Rule("ALTER EXTENSION", None, DDL_AND_PATH),
    ast.AlterExtensionContentsStmt: Rule("ALTER EXTENSION", None, DDL),
    ast.CreateFdwStmt: Rule("CREATE FOREIGN DATA WRAPPER"),
    ast.AlterFdwStmt: Rule("ALTER FOREIGN DATA WRAPPER"),
    ast.CreateForeignServerStmt: Rule("CREATE SERVER"),
    ast.AlterForeignServerStmt: Rule("ALTER SERVER"),
    ast.CreateUserMappingStmt: Rule("CREATE USER MAPPING"),
    ast.AlterUserMappingStmt: Rule("ALTER USER MAPPING"),
    ast.DropUserMappingStmt: Rule("DROP USER MAPPING"),
    ast.ImportForeignSchemaStmt: Rule("IMPORT FOREIGN SCHEMA", None, DDL),
    ast.CreateSubscriptionStmt: Rule("CREATE SUBSCRIPTION"),
    ast.AlterSubscriptionStmt: Rule("ALTER SUBSCRIPTION"),
    ast.DropSubscriptionStmt: Rule("DROP SUBSCRIPTION"),
    # Roles and privileges: a schema that may not be used is not on the search_path.
    ast.GrantStmt: Rule("GRANT", None, DDL_AND_PATH),
    ast.GrantRoleStmt: Rule("GRANT ROLE", None, DDL_AND_PATH),
    ast.AlterDefaultPrivilegesStmt: Rule("ALTER DEFAULT PRIVILEGES"),
    ast.AlterOwnerStmt: Rule("ALTER OWNER", None, DDL_AND_PATH),
    ast.DropOwnedStmt: Rule("DROP OWNED", None, DDL_AND_PATH),
    ast.ReassignOwnedStmt: Rule("REASSIGN OWNED", None, DDL_AND_PATH),
    ast.CreateRoleStmt: Rule("CREATE ROLE"),
    ast.AlterRoleStmt: Rule("ALTER ROLE", None, Effect.SETTINGS),
    ast.AlterRoleSetStmt: Rule("ALTER ROLE", None, Effect.SETTINGS),
    ast.DropRoleStmt: Rule("DROP ROLE"),
    # Databases and the cluster.
    ast.CreatedbStmt: Rule("CREATE DATABASE"),
    ast.AlterDatabaseStmt: Rule("ALTER DATABASE"),
    ast.AlterDatabaseSetStmt: Rule("ALTER DATABASE", None, Effect.SETTINGS),
    ast.AlterDatabaseRefreshCollStmt: Rule("ALTER DATABASE"),
    ast.DropdbStmt: Rule("DROP DATABASE"),
    ast.CreateTableSpaceStmt: Rule("CREATE TABLESPACE"),
    ast.AlterTableSpaceOptionsStmt: Rule("ALTER TABLESPACE"),
    ast.DropTableSpaceStmt: Rule("DROP TABLESPACE"),
    ast.AlterSystemStmt: Rule("ALTER SYSTEM", None, Effect.SETTINGS),
    # Parts of other statements.
    ast.RawStmt: Rule("", inner),
    ast.SetOperationStmt: Rule("", inner),
    ast.ReturnStmt: Rule("", inner),
    ast.PLAssignStmt: Rule("", inner),
    ast.ReplicaIdentityStmt: Rule("", inner),
}
