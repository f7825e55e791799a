CREATE TABLE "tool_inventories" (
	"resource" text PRIMARY KEY NOT NULL,
	"tools" jsonb NOT NULL,
	"published_at" timestamp (3) with time zone NOT NULL,
	"published_by" text NOT NULL
);
