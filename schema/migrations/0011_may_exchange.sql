ALTER TABLE "agents" ADD COLUMN "may_exchange" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "may_exchange" boolean DEFAULT true NOT NULL;--> statement-breakpoint
-- RFC 8693 §5: whoever exchanges authenticates.
UPDATE "clients" SET "may_exchange" = false WHERE "auth" = 'none';
