ALTER TABLE "agents" ADD COLUMN "require_par" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "agents" ADD COLUMN "require_signed_request" boolean DEFAULT false NOT NULL;