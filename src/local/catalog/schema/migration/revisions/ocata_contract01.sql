-- What the real tool adds while two releases run side by side.
DROP TRIGGER insert_visibility;
DROP TRIGGER update_visibility;
DROP INDEX ix_images_is_public ON images;
ALTER TABLE images DROP COLUMN is_public;
ALTER TABLE images MODIFY COLUMN visibility {visibility} DEFAULT 'shared' NOT NULL;
