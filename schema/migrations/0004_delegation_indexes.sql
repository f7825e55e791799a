CREATE INDEX "consents_agent" ON "consents" USING btree ("agent_id");--> statement-breakpoint
CREATE INDEX "consents_client" ON "consents" USING btree ("client_id");--> statement-breakpoint
CREATE INDEX "consents_created" ON "consents" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "grants_user" ON "grants" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "grants_client" ON "grants" USING btree ("client_id");--> statement-breakpoint
CREATE INDEX "grants_created" ON "grants" USING btree ("created_at","id");