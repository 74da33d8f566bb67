ALTER TABLE images ADD COLUMN os_hidden BOOLEAN DEFAULT 0 NOT NULL;
CREATE INDEX os_hidden_image_idx ON images (os_hidden);
