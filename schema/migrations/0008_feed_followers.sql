CREATE TABLE "feed_followers" (
	"client_id" text NOT NULL,
	"resource" text NOT NULL,
	"instance" text NOT NULL,
	"position" bigint NOT NULL,
	"at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "feed_followers_client_id_resource_instance_position_pk" PRIMARY KEY("client_id","resource","instance","position")
);
--> statement-breakpoint
CREATE INDEX "feed_followers_seen" ON "feed_followers" USING btree ("seen_at");